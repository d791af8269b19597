"""A processor that does what the file says: its first word is a name below, the rest is what that takes.

It stands for what users' own code may do to a worker, and depends on the worker's interface alone.
"""

import logging
import os
import sys
import time
from pathlib import Path

from filebatch_worker.processor import ConfigurationError, InvalidFile, Output, Processed, TransientError


def process(source, workdir, options):
    word, _, rest = source.path.read_text().strip().partition(" ")
    if word == "wait":
        wait(Path(rest))
    if word in FAULTS:
        raise FAULTS[word]
    if word == "exit":
        sys.exit(int(rest))
    if word == "escape":
        return Processed((write(workdir, rest),), rows=1)
    if word == "log":
        logging.getLogger().warning("%s", dict(os.environ) if rest == "everything" else rest)
    data, more = write(workdir, "data.txt", options.get("text", word)), write(workdir, "more/detail.json", "{}")
    return Processed((Output(data.name, data.path, rows=3), more), rows=3, notes={"word": word, "name": source.name})


FAULTS = {
    "invalid": InvalidFile("truncated", "the file ends within line 3", line=3, column=None),
    "raise": ValueError("a fault of ours"),
    "transient": TransientError("not now"),
    "memory": MemoryError(),
    "configuration": ConfigurationError("no such column"),
    "connection": ConnectionError("reset by peer"),
}


def wait(folder: Path) -> None:
    """Say that the work has begun, and go on when told to."""
    (folder / "begun").touch()
    deadline = time.monotonic() + 60
    while not (folder / "go").exists():
        if time.monotonic() > deadline:
            raise TimeoutError("nobody said go")
        time.sleep(0.01)


def write(workdir: Path, name: str, text: str = "x") -> Output:
    path = workdir / ("escaped" if ".." in name or "//" in f"/{name}" else name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return Output(name, path)


def picky(source, workdir, options):
    return process(source, workdir, options)


def check_options(options):
    if "text" not in options:
        raise ConfigurationError('options: expected "text"')


picky.check_options = check_options
