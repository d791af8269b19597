"""Programs that are run, ended in order when a signal comes, and left only when they have ended."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ENDS_WITHIN = 600  # seconds, for what Terraform is at when it is asked to stop
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
        raise SignalError(signal.Signals(number).name)

    for each in SIGNALS:
        signal.signal(each, interrupt)
    try:
        yield
    finally:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> int:
    """Run a program to its end, its output in a log; return its exit code.

    It has a session of its own, so that a Ctrl-C reaches it through here alone: what is interrupted is asked to end,
    and waited for, as Terraform then writes down what it has made.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait(ENDS_WITHIN)
            raise


def must(command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> None:
    """Run a program. Raises ProgramError, with the log's end, where it fails."""
    if code := run(command, folder, environment, log):
        told = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise ProgramError(f"{' '.join(command[:2])} ended with {code}; the end of {log}:\n{told}")
