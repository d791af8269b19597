"""Makes requests go wrong as `base/mean.py` says: WSGI middleware in front of what answers them."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from botocore import xform_name

from filebatch_local.base import access
from filebatch_local.base.faults import Fault
from filebatch_local.base.mean import Mean
from filebatch_local.serve.recording import CREDENTIAL

# Requests that may be done in part: their entries, and where the answer names what is left.
IN_PART = {"DynamoDB_20120810.BatchGetItem": "RequestItems"}

Environ = dict[str, Any]


class Meanness:
    """Refuses, loses and cuts what `mean` says, and makes requests take a while; whoever is spared is left alone."""

    def __init__(self, app: Any, mean: Mean, latency: float = 0.0) -> None:
        self._app, self._mean, self._latency = app, mean, latency

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer a request, or don't."""
        signed = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        if not signed or access.who(signed["key"]) == access.SPARED:
            return self._app(environ, start_response)  # type: ignore[no-any-return]  # WSGI
        time.sleep(self._latency)
        found = self._mean.fault(signed["service"], operation(environ, signed["service"]))
        if found and _may_happen(found[0], environ):
            return self._faulty(*found, signed["service"], environ, start_response)
        if IN_PART.get(environ.get("HTTP_X_AMZ_TARGET", "")) and self._mean.mishap("left out") is not None:
            return in_part(self._app, environ, start_response)
        return self._app(environ, start_response)  # type: ignore[no-any-return]  # WSGI

    def _faulty(self, fault: Fault, bad: float, service: str, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if told := fault.refusal(service):
            _drain(environ)
            return refuse(service, environ, start_response, told, fault.meaning)
        if not fault.applied:
            raise _cut(environ, fault.meaning)
        answer: list[Any] = []
        body = self._app(environ, lambda *started: answer.extend(started))
        # A client reads S3's bodies when its call is over, so what is cut there it doesn't ask for again by itself.
        spared = service == "s3" and self._mean.of == "requests"
        if bad < 0.5 or environ["REQUEST_METHOD"] == "HEAD" or spared:
            raise _cut(environ, fault.meaning)
        start_response(*answer)
        return _half(body, environ, fault.meaning)


def _drain(environ: Environ) -> None:
    """Read what a client sends before it is refused, so that it reads the answer."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left > 0 and (block := environ["wsgi.input"].read(min(left, 2**20))):
        left -= len(block)


def operation(environ: Mapping[str, Any], service: str) -> str:
    """Return what a request asks for, as a client of boto3 calls it."""
    target, path = environ.get("HTTP_X_AMZ_TARGET", ""), environ.get("PATH_INFO", "")
    if target:
        return str(xform_name(target.rpartition(".")[2]))
    if service == "s3":
        return _of_s3(
            environ["REQUEST_METHOD"], path, parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        )
    if "x-www-form" in environ.get("CONTENT_TYPE", ""):
        return str(xform_name(parse_qs(_body(environ).decode()).get("Action", ["unknown"])[0]))
    return str(path.rpartition("/")[2])


def _of_s3(method: str, path: str, asked: Mapping[str, Any]) -> str:
    what = "object" if path.strip("/").count("/") else "bucket"
    if "uploads" in asked or "uploadId" in asked:
        return f"{method.lower()}_upload"
    return f"{method.lower()}_{what}" + "".join(f"_{name}" for name in ("versions", "acl", "tagging") if name in asked)


def _may_happen(fault: Fault, environ: Mapping[str, Any]) -> bool:
    """Tell whether a fault of certain operations fits this request: only conditional writes are in conflict."""
    return not fault.only or "HTTP_IF_NONE_MATCH" in environ


def refuse(
    service: str, environ: Mapping[str, Any], start_response: Any, told: tuple[str, int], why: str
) -> list[bytes]:
    """Answer with a code and status, as the protocol of the service words it; an object of S3's may be JSON itself.

    https://smithy.io/2.0/aws/protocols/ has the protocols.
    """
    code, status = told
    if service == "batch" or (service != "s3" and "json" in environ.get("CONTENT_TYPE", "")):
        kind, body = "application/json", json.dumps({"__type": code, "message": why})
    else:
        error = f"<Error><Code>{code}</Code><Message>{escape(why)}</Message></Error>"
        form = "x-www-form" in environ.get("CONTENT_TYPE", "")
        kind, body = "application/xml", f"<ErrorResponse>{error}</ErrorResponse>" if form else error
    content = body.encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(content))), ("x-amzn-ErrorType", code)]
    start_response(f"{status} Refused", headers)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else content]


def in_part(app: Any, environ: Environ, start_response: Any) -> Iterable[bytes]:
    """Have half of a BatchGetItem request done, and name the rest in UnprocessedKeys.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
    """
    request = json.loads(_body(environ))
    now, later = halves(request["RequestItems"])
    content = json.dumps({**request, "RequestItems": now}).encode()
    environ |= {"wsgi.input": io.BytesIO(content), "CONTENT_LENGTH": str(len(content))}
    started: list[Any] = []
    answer = b"".join(app(environ, lambda *all_: started.extend(all_)))
    status, headers = started[:2]
    if status.startswith("200"):
        answer = json.dumps({**json.loads(answer), "UnprocessedKeys": later}).encode()
    kept = [(name, value) for name, value in headers if name.lower() not in {"content-length", "x-amz-crc32"}]
    start_response(status, [*kept, ("Content-Length", str(len(answer)))])
    return [answer]


def halves(wanted: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part what is wanted of tables: what is done now, at least one key of each, and what is left for later."""
    now = {table: {**each, "Keys": each["Keys"][: (len(each["Keys"]) + 1) // 2]} for table, each in wanted.items()}
    left = {table: {**each, "Keys": each["Keys"][(len(each["Keys"]) + 1) // 2 :]} for table, each in wanted.items()}
    return now, {table: each for table, each in left.items() if each["Keys"]}


def _half(body: Iterable[bytes], environ: Environ, why: str) -> Iterator[bytes]:
    """Send the first half of an answer's first block, and cut the connection."""
    first = next(iter(body), b"")
    yield first[: len(first) // 2]
    raise _cut(environ, why)


def _cut(environ: Environ, why: str) -> ConnectionResetError:
    """Cut the client's connection; return what ends the request in silence."""
    with contextlib.suppress(OSError):
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return ConnectionResetError(why)


def _body(environ: Environ | Mapping[str, Any]) -> bytes:
    """Return the body, and keep it readable for the application."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)  # type: ignore[index]  # a Mapping here, WSGI's own dict
    return body
