"""A proxy that asks one server, whatever name it is asked for."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

PASSED_ON = {"authorization", "content-type", "x-amz-date", "x-amz-security-token", "x-amzn-errortype"}
# Terraform's provider puts `api.` before the name of MWAA's endpoint and can't be told not to; so that endpoint has a
# name that nobody has (https://www.rfc-editor.org/rfc/rfc2606#section-2), for which the provider asks a proxy.
NOBODYS = "airflow.invalid"


@contextmanager
def to_mwaa(endpoint: str) -> Iterator[dict[str, str]]:
    """Yield the variables with which Terraform reaches the MWAA of the local AWS."""
    with proxy_to(endpoint) as proxy:
        yield {"AWS_ENDPOINT_URL_MWAA": f"http://{NOBODYS}", "HTTP_PROXY": proxy, "NO_PROXY": "127.0.0.1"}


@contextmanager
def proxy_to(endpoint: str) -> Iterator[str]:
    """Yield the address of such a proxy."""
    there = urlsplit(endpoint).netloc

    class PassOn(BaseHTTPRequestHandler):
        def passed_on(self) -> None:
            asked = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() in PASSED_ON}
            client = http.client.HTTPConnection(there)
            client.request(self.command, f"{asked.path}?{asked.query}", body, headers)
            answer = client.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name in (name for name in answer.headers if name.lower() in PASSED_ON):
                self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.passed_on
            raise AttributeError(name)

        def log_message(self, *told: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), PassOn) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
