"""The simulation's processor: the file's first word says what becomes of it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filebatch_worker.processor import InvalidFile, Output, Processed, Source, TransientError

# What the container in which it runs does; set by containers.py.
act: Callable[[str, str], None] = lambda _content, _put: None


def process(source: Source, workdir: Path, options: Mapping[str, Any]) -> Processed:
    content, put = source.path.read_text().split()
    act(content, put)
    if content == "invalid":
        raise InvalidFile("wrong", "it is wrong")
    if content == "wordy":
        raise InvalidFile("wrong", "x" * 420_000, summary="x" * 420_000)
    if content == "bug":
        raise ValueError("a bug")
    if content == "later":
        raise TransientError("not now")
    output = workdir / "out.txt"
    output.write_text(content)
    rows: Any = 1.0 if content == "unsound" else 1
    return Processed((Output("out.txt", output, 1),), rows=rows)
