"""Records who signed which request, so that tests can compare IAM policies with real requests.

One line of JSON per request. The reader works out which action and resource it is. What AWS's services do by
themselves (service_calls.py) is among them, with `by` instead of a signature.
"""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from filebatch_local.base import access, service_calls

# Signature version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")

SUBMITS = "/v1/submitjob"  # a later request names a job by its id, which only this answer tells


class Recorder:
    """WSGI middleware that appends each signed request to a file, and what services do by themselves."""

    def __init__(self, app: Any, file: Path) -> None:
        self._app, self._file, self._lock = app, file, threading.Lock()
        service_calls.listen(self._write)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Pass the request on and record it with the answer's status."""
        signed = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        if not signed:
            return self._app(environ, start_response)  # type: ignore[no-any-return]  # WSGI
        found = {**signed.groupdict(), "key": access.who(signed["key"])}  # the name, not the key itself
        request = {**found, **_request(environ, with_body=found["service"] != "s3")}

        def start(status: str, *more: Any) -> Any:
            request["status"] = int(status.split(" ", 1)[0])
            return start_response(status, *more)

        answer: Iterable[bytes] = self._app(environ, start)
        if request["path"].endswith(SUBMITS):
            answer = [b"".join(answer)]
            request["answer"] = base64.b64encode(answer[0]).decode()
        self._write(request)
        return answer

    def _write(self, request: Mapping[str, Any]) -> None:
        with self._lock, self._file.open("a", encoding="utf-8") as output:
            output.write(json.dumps(request) + "\n")


def _request(environ: dict[str, Any], *, with_body: bool) -> dict[str, Any]:
    return {
        "method": environ["REQUEST_METHOD"],
        "path": environ.get("RAW_URI", environ.get("PATH_INFO", "")).split("?", 1)[0],
        "query": environ.get("QUERY_STRING", ""),
        "headers": {
            name[5:].lower(): value
            for name, value in environ.items()
            if name.startswith(("HTTP_X_AMZ_", "HTTP_CONTENT"))
        },
        "body": base64.b64encode(_body(environ)).decode() if with_body else "",
    }


def _body(environ: dict[str, Any]) -> bytes:
    """Return the body, and keep it readable for the application."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body
