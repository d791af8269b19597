"""How this processor says that a file is INVALID: in a sentence for everybody, and in details that quote the file."""

from __future__ import annotations

from typing import Any

from filebatch_worker.processor import InvalidFile


def invalid(code: str, summary: str, detail: str = "", **where: Any) -> InvalidFile:
    """Return the error for a file.

    Args:
        code: what is wrong, one of those in docs/processors.md.
        summary: what everybody is told. It quotes nothing of the file: columns are named as in the feed, or by number.
        detail: what is told in quarantine besides: text of the file or of its names.
        where: as InvalidFile has it. `reader` is what the library that read the file said, for whoever looks into it:
            those are no words of ours, and stand in no message.
    """
    return InvalidFile(code, f"{summary}: {detail}" if detail else summary, summary=summary, **where)
