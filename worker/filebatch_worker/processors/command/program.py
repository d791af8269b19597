"""Runs one program, without a shell, within bounds of time, memory and disk; keeps the end of what it says."""

from __future__ import annotations

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
LOOKS_TAKE = 10  # times as long as a look took nobody looks again: many files must not cost the program its CPU
KILLS = 100  # rounds: a program that starts others faster than they are killed isn't waited for
MEMORY_SHARE = 0.8  # of the container's: the rest is the worker's, and what keeps the kernel from killing both


class ProgramError(FilebatchError):
    """What is wrong with how a program ended; `summary` says it without a word of the program's, or of the file's."""

    is_plain = True  # where it was raised is a line of the worker, which says nothing of the program

    def __init__(self, summary: str, said: str = "") -> None:
        super().__init__(f"{summary}: {said}" if said else summary)
        self.summary = summary


class TimedOutError(ProgramError):
    """The program took more seconds than the feed gives it."""


class WroteTooMuchError(ProgramError):
    """The program wrote more bytes than the feed lets it."""


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
        WroteTooMuchError: it wrote more than `max_bytes`.
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
    out, err = _Tail(program.stdout), _Tail(program.stderr)
    try:
        _bound_files(program.pid, max_bytes)
        _wait(program, timeout, _overdraft(program.pid, folder, max_bytes))
    finally:
        _kill_all(program.pid)
        program.wait()
    return Ended(program.returncode, out.text(), err.text())


def _bound_files(pid: int, max_bytes: int) -> None:
    """Have the kernel let the process write no file beyond a byte more than it may, which is then seen to be too much.

    Set from outside: what runs between fork and exec may stand still for ever where there are other threads.
    https://docs.python.org/3/library/subprocess.html#subprocess.Popen
    """
    if hasattr(resource, "prlimit"):  # Linux has it; elsewhere the looks at the folder bound it alone
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (max_bytes + 1, max_bytes + 1))


def _wait(program: subprocess.Popen[bytes], timeout: int, check: Callable[[], None]) -> None:
    deadline, pause = time.monotonic() + timeout, POLL_SECONDS
    while True:
        with suppress(subprocess.TimeoutExpired):
            program.wait(pause)
            check()
            return
        looked = time.monotonic()
        check()
        pause = max(POLL_SECONDS, LOOKS_TAKE * (time.monotonic() - looked))
        if time.monotonic() > deadline:
            raise TimedOutError(f"timeout: the program took more than {timeout} s")


def _overdraft(session: int, folder: Path, max_bytes: int) -> Callable[[], None]:
    """Return a function that raises where the program takes more than it may."""
    memory = (read_bounds(os.environ).memory or 0) * MEMORY_SHARE * 2**20

    def check() -> None:
        if sum(_sizes(folder)) > max_bytes:
            raise WroteTooMuchError(f"max_output_bytes: the program wrote more than {max_bytes} bytes")
        if memory and _resident(session) > memory:
            raise MemoryError("the program takes nearly all of the container's memory")

    return check


def _sizes(folder: Path) -> Iterator[int]:
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                yield Path(parent, name).lstat().st_size


def _resident(session: int) -> int:
    """Return the bytes of memory of all processes of a session."""
    return sum(_processes(session).values())


def _kill_all(session: int) -> None:
    """Kill all processes of a session: each may be in a process group of its own, as a shell's jobs are."""
    with suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)
    for _ in range(KILLS):
        left = _processes(session)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            return


def _processes(session: int) -> dict[int, int]:
    """Return the bytes of memory of each process of a session that runs, by its id.

    On a laptop's macOS there is no /proc, so none is found. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    """
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):
            stat = path.read_text(errors="replace").rpartition(") ")[2].split()
            if int(stat[3]) == session and stat[0] not in "ZX":
                found[int(path.parent.name)] = int(stat[21]) * resource.getpagesize()
    return found


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
