"""Requests of one connection are answered one after the other, whatever the one before left unread or did wrong."""

import contextlib
import http.client
import threading

import pytest
from werkzeug.serving import make_server

from filebatch_local.serve.connections import Handler


def answer(environ, start):
    """Answer by the path; bodies are read by `/read` alone."""
    match environ["PATH_INFO"]:
        case "/read":
            start("200 OK", [])
            return [environ["wsgi.input"].read()]
        case "/lies":
            start("200 OK", [("Content-Length", "3")])
            return [b"longer"]
        case "/fails":
            raise ValueError("why")
        case "/gone":
            start("204 No Content", [])
            return []
        case "/cut":
            raise ConnectionResetError
    start("200 OK", [("Content-Length", "5")])
    return [b"short"]


@pytest.fixture(scope="module")
def port():
    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def connection(port):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as opened:
        yield opened


def ask(connection, method, path, body=None, **headers):
    connection.request(method, path, body, headers, encode_chunked=False)
    found = connection.getresponse()
    return found.status, found.read()


@pytest.mark.parametrize("path", ["/read", "/", "/gone"])
@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_a_connection_takes_the_next_request(connection, method, path):
    ask(connection, method, path, b"GET /lies HTTP/1.1\r\n\r\n")
    kept = connection.sock
    assert kept is not None
    assert ask(connection, "POST", "/read", b"next") == (200, b"next")
    assert connection.sock is kept


def test_a_body_in_chunks_ends_where_it_ends(connection):
    connection.request("POST", "/", iter([b"a", b"bc"]), {}, encode_chunked=True)
    assert connection.getresponse().read() == b"short"
    assert ask(connection, "POST", "/read", b"next") == (200, b"next")


def test_who_asks_first_whether_to_send_a_body_is_told_to(connection):
    connection.putrequest("PUT", "/read")
    connection.putheader("Expect", "100-continue")
    connection.putheader("Content-Length", "4")
    connection.endheaders()
    assert connection.sock.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n")
    connection.send(b"body")
    assert connection.getresponse().read() == b"body"


@pytest.mark.parametrize(("path", "status"), [("/lies", 200), ("/fails", 500)])
def test_a_connection_on_which_an_answer_went_wrong_is_closed(connection, path, status):
    assert ask(connection, "GET", path)[0] == status
    assert connection.sock.recv(1) == b""


def test_a_connection_that_is_cut_has_no_answer(connection):
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        ask(connection, "GET", "/cut")
