"""A processor that only copies: what is left is the cost of everything else."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filebatch_worker.processor import Output, Processed, Source


def copy(source: Source, workdir: Path, options: Mapping[str, Any]) -> Processed:  # noqa: ARG001 - handed to all
    """Return the file as it is."""
    path = workdir / "copy"
    shutil.copyfile(source.path, path)
    return Processed((Output("copy", path),))
