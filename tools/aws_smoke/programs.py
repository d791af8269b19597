"""Programs that are run, and that have ended when their caller goes on, whatever signal came."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalError(Exception):
    """A signal asked for an end."""


class ProgramError(Exception):
    """A program failed: which, and the end of what it said."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Have a signal raise SignalError in the block; behind it signals are ignored, as what comes is the tidying up."""

    def interrupt(number: int, _: Any) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        sys.stderr.write(f"{signal.Signals(number).name}: what runs is let come to its end, then all is destroyed\n")
        raise SignalError(signal.Signals(number).name)

    for each in SIGNALS:
        signal.signal(each, interrupt)
    try:
        yield
    finally:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path, *, finish: bool = False
) -> int:
    """Run a program to its end, its output in a log; return its exit code.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        environment: its variables.
        log: what it says is appended here.
        finish: whether it is let finish when a signal comes; else it is told to end. It has a session of its own, so
            that a Ctrl-C reaches it through here alone.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait()
        except BaseException:
            if not finish:
                process.terminate()
            process.wait()
            raise


def must(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path, *, finish: bool = False
) -> None:
    """Run a program. Raises ProgramError, with the log's end, where it fails."""
    if code := run(command, folder, environment, log, finish=finish):
        told = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise ProgramError(f"{' '.join(command[:2])} ended with {code}; the end of {log}:\n{told}")
