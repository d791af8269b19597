"""moto's gap in DynamoDB, closed: requests are served one after the other.

moto 5.2.5 looks at a ConditionExpression and writes in two steps, with nothing between threads, so that two may
succeed where one can; and a transaction that fails puts back the whole table as it was when it began, with what others
wrote since (tests/local/moto_gaps/test_dynamodb.py). A real table decides each write alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any


class OneAtATime:
    """WSGI middleware that lets one DynamoDB request through at a time, and everything else as it comes."""

    def __init__(self, app: Any) -> None:
        self._app, self._lock = app, threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        if not environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB"):
            return self._app(environ, start_response)  # type: ignore[no-any-return]  # WSGI
        with self._lock:
            return self._app(environ, start_response)  # type: ignore[no-any-return]  # WSGI
