"""HTTP as AWS speaks it: a connection stays open for the client's next request.

Werkzeug's own handler closes each, as it doesn't know where a request's body ends. For a client that asks the ledger
or a queue, to connect anew takes as long as to ask; and here a thread begins for each connection.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from moto.moto_server import werkzeug_app
from werkzeug import Response
from werkzeug.exceptions import InternalServerError
from werkzeug.wsgi import LimitedStream

log = logging.getLogger(__name__)

NO_BODY = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
AT_ONCE = 1 << 16  # bytes


class _Answer(Response):
    """An answer as an application gives it: with no type where that names none."""

    default_mimetype = None


class Handler(werkzeug_app.MotoRequestHandler):  # type: ignore[misc]  # moto's classes are untyped here
    """Answers the requests of one connection, one after the other. It logs none: their paths are the user's keys."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together: a part that waits until the other's receipt is told takes 40 ms
    disable_nagle_algorithm = True

    def log_request(self, *args: Any) -> None:
        """Log nothing."""

    def run_wsgi(self) -> None:
        """Answer one request; werkzeug calls this for each method."""
        if self.headers.get("Expect", "").strip().lower() == "100-continue":
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
            self.wfile.flush()
        self.environ = self.make_environ()
        body = _bounded(self.environ)
        try:
            self._answer(_Answer.from_app(self.server.app, self.environ))
        except ConnectionError:
            raise  # it was cut, by the client or on purpose
        except Exception:
            log.exception("a request could not be answered")
            self.close_connection = True  # it may have been answered in part
            self._answer(_Answer.from_app(InternalServerError(), self.environ))
        while body.read(AT_ONCE):
            pass  # the next request begins behind it
        self.wfile.flush()

    def _answer(self, answer: Response) -> None:
        """Send an answer with its length, by which the client knows where the next one begins."""
        has_body = self.command != "HEAD" and answer.status_code not in NO_BODY
        if has_body and answer.content_length is None:
            answer.content_length = len(answer.get_data())
        self.send_response(answer.status_code, answer.status.partition(" ")[2])
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        sent = sum(self.wfile.write(block) for block in answer.iter_encoded()) if has_body else 0
        answer.close()
        if has_body and sent != answer.content_length:
            self.close_connection = True


def _bounded(environ: dict[str, Any]) -> Any:
    """Have the application's reads end where the request's body does; return what it reads from."""
    if not environ.get("wsgi.input_terminated"):
        environ["wsgi.input"] = LimitedStream(environ["wsgi.input"], int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input_terminated"] = True
    return environ["wsgi.input"]
