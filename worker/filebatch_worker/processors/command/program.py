"""Runs one program, without a shell, within bounds of time, memory and disk; keeps the end of what it says."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from filebatch.core.errors import FilebatchError
from filebatch_worker.settings import read_bounds

KEPT = 16 * 1024  # bytes of what a program says
POLL_SECONDS = 0.05
MEMORY_SHARE = 0.8  # of the container's: the rest is the worker's, and what keeps the kernel from killing both


class TimedOutError(FilebatchError):
    """The program took more seconds than the feed gives it."""


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code, or minus the signal that killed it, and the end of what it said."""

    code: int
    stdout: str
    stderr: str


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path, *, timeout: int, max_bytes: int) -> Ended:
    """Run a program in `folder`, where all lies that it writes, and wait for it. Whatever it leaves running is killed.

    Raises:
        TimedOutError: it took more than `timeout` seconds.
        MemoryError: it and what it started took nearly all memory of the container.
        OSError: ENOSPC, it wrote more than `max_bytes`.
    """
    program = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=dict(environment),
        start_new_session=True,
    )
    # Set from outside: what runs between fork and exec may stand still for ever where there are other threads.
    # https://docs.python.org/3/library/subprocess.html#subprocess.Popen
    with suppress(ProcessLookupError):
        resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (max_bytes, max_bytes))
    out, err = _Tail(program.stdout), _Tail(program.stderr)
    try:
        _wait(program, time.monotonic() + timeout, _overdraft(program.pid, folder, max_bytes))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()
    if program.returncode and max(_sizes(folder), default=0) >= max_bytes:  # the kernel let it write no more
        raise _no_space(max_bytes)
    return Ended(program.returncode, out.text(), err.text())


def _wait(program: subprocess.Popen[bytes], deadline: float, check: Callable[[], None]) -> None:
    while True:
        with suppress(subprocess.TimeoutExpired):
            program.wait(POLL_SECONDS)
            check()
            return
        check()
        if time.monotonic() > deadline:
            raise TimedOutError("the program took more seconds than its timeout")


def _overdraft(session: int, folder: Path, max_bytes: int) -> Callable[[], None]:
    """Return a function that raises where the program takes more than it may."""
    memory = (read_bounds(os.environ).memory or 0) * MEMORY_SHARE * 2**20

    def check() -> None:
        if sum(_sizes(folder)) > max_bytes:
            raise _no_space(max_bytes)
        if memory and _resident(session) > memory:
            raise MemoryError("the program takes nearly all of the container's memory")

    return check


def _no_space(max_bytes: int) -> OSError:
    return OSError(errno.ENOSPC, f"the program wrote more than {max_bytes} bytes (max_output_bytes)")


def _sizes(folder: Path) -> Iterator[int]:
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                yield Path(parent, name).lstat().st_size


def _resident(session: int) -> int:
    """Return the bytes of memory of all processes of a session: https://man7.org/linux/man-pages/man5/proc.5.html."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):  # on a laptop's macOS there is none, and no bound
        with suppress(OSError, IndexError):
            stat = path.read_text(errors="replace").rpartition(") ")[2].split()
            total += int(stat[21]) * resource.getpagesize() if int(stat[3]) == session else 0
    return total


class _Tail:
    """Reads a pipe to its end, and keeps the last bytes."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._pipe, self._kept = pipe, b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        if self._pipe is None:
            return
        with self._pipe:
            while piece := os.read(self._pipe.fileno(), KEPT):
                self._kept = (self._kept + piece)[-KEPT:]

    def text(self) -> str:
        """Return what was kept. Who left the program's session and holds the pipe isn't waited for."""
        self._thread.join(1)
        return self._kept.decode("utf-8", errors="replace")
