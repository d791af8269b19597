"""The job's log: a line per record, in which nothing that a processor meets forges a line or shows values unasked.

What a processor prints or logs in words of its own is its author's affair.
"""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType
from typing import Any

from filebatch.core.wording import visible
from filebatch_worker import reasons

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class JobLog(logging.Formatter):
    """Formats records. Exceptions are told without their text until `show_values` is set."""

    show_values = False

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the record's line, with control characters as escapes."""
        record.message = visible(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        """Return the traceback."""
        return reasons.trace(ei[1], show_values=self.show_values) if ei[1] else ""


def start() -> JobLog:
    """Log to stdout from now on, exceptions that nobody catches included; return the formatter."""
    formatter = JobLog("%(asctime)s %(levelname)s %(message)s")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("botocore").setLevel(logging.WARNING)  # else it tells where each client's address came from
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    return formatter


def _uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> Any:
    logging.getLogger("filebatch").critical("nobody caught what was raised", exc_info=error)


def _uncaught_in_thread(found: threading.ExceptHookArgs) -> Any:
    if found.exc_value is not None:
        _uncaught(found.exc_type, found.exc_value, found.exc_traceback)
