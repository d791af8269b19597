"""The worker as process 1 of its container, which the kernel treats unlike any other process.

Process 1 never gets a signal for which it has no handler, and inherits whatever the processors' own processes leave
behind: https://man7.org/linux/man-pages/man7/pid_namespaces.7.html. So process 1 hands SIGTERM on and waits for
everybody, and its child works. The worker can't do both: whoever waits for every process takes the exit codes of those
that a processor started and asks after.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable

_SIGTERM = frozenset({signal.SIGTERM})


def hold_sigterm() -> None:
    """As process 1, let SIGTERM wait until somebody listens; what is blocked is kept, what nobody handles is lost."""
    if os.getpid() == 1:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGTERM)


def on_sigterm(react: Callable[[], object]) -> None:
    """Have `react` called at SIGTERM from now on, and for one that was held."""
    signal.signal(signal.SIGTERM, lambda *_: react())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGTERM)


def run(work: Callable[[], int]) -> int:
    """Return the exit code of `work`; as process 1 have a child do it, and wait for it and for all orphans."""
    if os.getpid() != 1:
        return work()
    worker = os.fork()
    if not worker:
        return work()
    on_sigterm(lambda: _hand_on(worker))
    return _wait_for(worker)


def _hand_on(worker: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker, signal.SIGTERM)


def _wait_for(worker: int) -> int:
    """Wait for whatever ends until the worker has; return its exit code, or 128 and the number of what killed it."""
    while True:
        pid, status = os.wait()
        if pid == worker:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
