"""The built-in processor that runs a program of the image on each file; docs/processors.md says how."""

from filebatch_worker.processors.command.pipeline import check_options, process

__all__ = ["check_options", "process"]
