"""A processor that does what the file says: its first word is a name below, the rest is what that takes.

It stands for what users' own code may do to a worker, and depends on the worker's interface alone.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from filebatch_worker.processor import ConfigurationError, InvalidFile, Output, Processed, TransientError


def process(source, workdir, options):
    word, _, rest = source.path.read_text().strip().partition(" ")
    if word in FAULTS:
        raise FAULTS[word]
    if word == "escape":
        return Processed((write(workdir, rest),), rows=1)
    DEEDS.get(word, nothing)(rest)
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


def nothing(_: str) -> None:
    """Do what most files ask for."""


def wait(rest: str) -> None:
    """Say that the work has begun, and go on when told to."""
    folder = Path(rest)
    (folder / "begun").touch()
    deadline = time.monotonic() + 60
    while not (folder / "go").exists():
        if time.monotonic() > deadline:
            raise TimeoutError("nobody said go")
        time.sleep(0.01)


def wait_and_raise(rest: str) -> None:
    wait(rest)
    raise FAULTS["raise"]


def log(rest: str) -> None:
    logging.getLogger().warning("%s", dict(os.environ) if rest == "everything" else rest)


def leave_an_orphan(_: str) -> None:
    """Have a child's child retry its parent, and wait until it is gone: ended, and waited for by somebody."""
    started = subprocess.run(["sh", "-c", "sleep 0.1 & echo $!; exit 3"], stdout=subprocess.PIPE, check=False)
    if started.returncode != 3:
        raise ValueError(f"somebody else took the child's exit code: found {started.returncode}")
    until(lambda: not is_there(int(started.stdout)))


def end_container(_: str) -> None:
    """Send SIGTERM to process 1, as a container's engine does, and wait until the worker has it."""
    listens, came = signal.getsignal(signal.SIGTERM), []
    signal.signal(signal.SIGTERM, lambda *found: (came.append(1), listens(*found)))
    os.kill(1, signal.SIGTERM)
    until(lambda: came)


def until(look) -> None:
    deadline = time.monotonic() + 10
    while not look():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come")
        time.sleep(0.01)


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def write(workdir: Path, name: str, text: str = "x") -> Output:
    path = workdir / ("escaped" if ".." in name or "//" in f"/{name}" else name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return Output(name, path)


def fill_the_disk(_: str) -> None:
    """Write to a device that is always full."""
    Path("/dev/full").write_text("x", encoding="utf-8")


def take_memory(rest: str) -> None:
    """Take so many MiB, and keep them until somebody looks."""
    taken = bytearray(int(rest) * 2**20)
    time.sleep(3)
    del taken


DEEDS = {
    "fill": fill_the_disk,
    "take": take_memory,
    "sleep": lambda rest: time.sleep(float(rest)),
    "wait": wait,
    "wait-and-raise": wait_and_raise,
    "exit": lambda rest: sys.exit(int(rest)),
    "log": log,
    "orphan": leave_an_orphan,
    "end": end_container,
    "killed": lambda _: os.kill(os.getpid(), signal.SIGKILL),
}


def picky(source, workdir, options):
    return process(source, workdir, options)


def check_options(options):
    if "text" not in options:
        raise ConfigurationError('options: expected "text"')


picky.check_options = check_options
