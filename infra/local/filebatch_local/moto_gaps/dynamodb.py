"""What moto's DynamoDB lacks: atomic writes. Here requests are served one after the other.

moto 5.2.5 checks a ConditionExpression and writes in two steps without a lock, so that two writes may succeed where
one can. And a transaction that fails restores the whole table as it was at its start, which undoes what others wrote
since (tests/local/moto_gaps/test_dynamodb.py). AWS decides each write atomically.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any


class OneAtATime:
    """WSGI middleware that serves one DynamoDB request at a time; other requests aren't held up."""

    def __init__(self, app: Any) -> None:
        self._app, self._lock = app, threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        if not environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB"):
            return self._app(environ, start_response)  # type: ignore[no-any-return]  # WSGI
        with self._lock:
            return self._app(environ, start_response)  # type: ignore[no-any-return]  # WSGI
