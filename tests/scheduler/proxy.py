"""Between a triggerer and the local AWS: holds a chosen call, delivers messages again, or plays dead."""

import contextlib
import http.client
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class Hold:
    """A call that doesn't get through: `reached` says that somebody has made it, `body` what it asked for."""

    def __init__(self, operation: str, word: str) -> None:
        self.operation, self.word = operation, word
        self.reached = threading.Event()
        self.body = ""


class Proxy:
    """What happens to calls on their way; all of it may be changed while calls go through."""

    def __init__(self, endpoint: str) -> None:
        self.upstream = urlsplit(endpoint)
        self.holds: list[Hold] = []
        self.dead: set[str] = set()  # words: calls with one of them in their body are cut off
        self.cut = 0
        self.calls: Counter[str] = Counter()  # calls that came, by path
        self.thrice: set[str] = set()  # words: messages of queues that name one of them come twice, and once again
        self._seen: set[str] = set()
        self._again: list[tuple[dict[str, str], bytes]] = []

    def hold(self, operation: str, word: str) -> Hold:
        self.holds.append(Hold(operation, word))
        return self.holds[-1]

    def is_stopped(self, operation: str, body: str) -> bool:
        for hold in self.holds:
            if hold.operation == operation and hold.word in body:
                hold.body = body
                hold.reached.set()
                return True
        if any(word in body for word in self.dead):
            self.cut += 1
            return True
        return False

    def forward(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.upstream.hostname or "", self.upstream.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def repeat(self, headers: dict[str, str], request: str, answer: bytes) -> None:
        """Send a copy of each message that is received for the first time, and keep one for later."""
        if not any(word in request for word in self.thrice):
            return
        wanted = {"content-type", "x-amz-target", "authorization", "x-amz-date"}
        send = {name: value for name, value in headers.items() if name.lower() in wanted}
        # The copies are S3's, not Airflow's, whose calls are judged by its role's policy.
        send = {name: re.sub(r"Credential=[^./]+", "Credential=partner", value) for name, value in send.items()}
        send |= {"X-Amz-Target": "AmazonSQS.SendMessage"}
        for message in json.loads(answer).get("Messages", []):
            event = json.loads(message["Body"])["id"]
            if event in self._seen:
                continue
            self._seen.add(event)
            copy = {"QueueUrl": json.loads(request)["QueueUrl"], "MessageBody": message["Body"]}
            self._again.append((send, json.dumps(copy).encode()))
            self.forward("POST", "/", *self._again[-1])

    def send_again(self) -> int:
        """Send all messages that were to come three times once more; return how many."""
        for headers, body in self._again:
            self.forward("POST", "/", headers, body)
        return len(self._again)


def handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            proxy.calls[self.path] += 1
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            operation, text = self.headers.get("X-Amz-Target", "").rpartition(".")[2], body.decode("utf-8", "replace")
            if proxy.is_stopped(operation, text):
                self.close_connection = True
                threading.Event().wait(30 if any(hold.operation == operation for hold in proxy.holds) else 0)
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            headers["Host"] = proxy.upstream.netloc
            status, found, answer = proxy.forward(self.command, self.path, headers, body)
            if any(word in text for word in proxy.dead):  # it died while this call was on its way
                self.close_connection = True
                return
            if operation == "ReceiveMessage":
                proxy.repeat(headers, text, answer)
            self.send_response(status)
            for name, value in found.items():
                if name.lower() not in {"transfer-encoding", "content-length", "connection", "date", "server"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            with contextlib.suppress(ConnectionError):  # whoever asked may have been killed
                self.end_headers()
                self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _pass  # noqa: N815 - the server's names

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


@contextlib.contextmanager
def proxy_of(endpoint: str) -> Iterator[tuple[Proxy, str]]:
    """Run a proxy on a free port; yield it and its URL."""
    proxy = Proxy(endpoint)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(proxy))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
