"""Who Airflow's web server answers: asked over HTTP, with each header as its sender would write it."""

import http.client
import json
import stat
import urllib.parse
from pathlib import Path

import pytest

import nobody
from api_server import api_server
from browsing import ask as page_asks
from browsing import chromium, foreign_server
from local_system import airflow, parts
from local_system.airflow import USER

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with api_server(tmp_path_factory.mktemp("airflow")) as found:
        yield found


@pytest.fixture
def ask(server):
    """Ask without being redirected; return status, headers and text."""

    def asking(path, method="GET", body=None, **headers):
        port = urllib.parse.urlsplit(server.api.url).port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Content-Type": "application/json", **sent})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()

    return asking


def test_nobody_gets_a_token_for_asking(ask):
    assert ask("/auth/token")[0] == 403
    assert ask("/auth/token/login")[0] == 403
    assert ask("/api/v2/dags")[0] == 401


@pytest.mark.parametrize("password", ["", "admin", "airflow", "None", "x" * 43])
def test_nobody_gets_one_for_a_password_that_is_not_this_starts(ask, password):
    said = json.dumps({"username": USER, "password": password})
    assert ask("/auth/token", "POST", said)[0] in (400, 401)
    assert ask(f"{airflow.LOGIN}?key={password}")[0] == 403
    assert "Set-Cookie" not in ask(f"{airflow.LOGIN}?key={password}")[1]


@pytest.mark.parametrize(
    "path", ["/", "/auth/token", "/auth/login", "/api/v2/version", "/execution/health", airflow.LOGIN]
)
@pytest.mark.parametrize(
    "said",
    [
        {"Host": "rebound.example"},
        {"Host": "rebound.example:8080"},
        {"Host": "localhost:1"},
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_nothing_is_answered_to_other_pages_and_other_names(ask, path, said):
    status, headers, text = ask(path, **said)
    assert status == 403
    assert text.startswith("expected")
    assert "Set-Cookie" not in headers


def test_its_own_pages_may_ask(ask, server):
    said = json.dumps({"username": USER, "password": server.api.password})
    status, _, text = ask("/auth/token", "POST", said, Origin=server.api.url, Sec_Fetch_Site="same-origin")
    assert status == 201
    assert json.loads(text)["access_token"]


def test_the_link_that_is_printed_logs_in(ask, server):
    link = urllib.parse.urlsplit(server.api.login)
    status, headers, _ = ask(f"{link.path}?{link.query}", Sec_Fetch_Site="none")
    cookie = headers["Set-Cookie"]
    assert (status, headers["Location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    assert ask("/ui/config", Cookie=cookie.split(";")[0])[0] == 200
    assert ask("/ui/config")[0] == 401


def test_another_user_of_the_machine_gets_in_no_more_than_a_stranger(ask, server):
    assert nobody.asks(f"{server.api.url}/auth/token") == 403
    assert nobody.asks(f"{server.api.url}/api/v2/dags") == 401
    (process,) = parts.recorded(server)
    environment, command = nobody.reads(*(Path(f"/proc/{process.pid}/{name}") for name in ("environ", "cmdline")))
    assert environment == "PermissionError"
    assert server.api.password not in command


def test_the_password_is_in_no_log(ask, server):
    ask(f"{airflow.LOGIN}?key={server.api.password}")
    assert server.api.password not in parts.log_file(server, "api-server").read_text()


def test_our_own_tools_ask_with_the_password_of_a_file_that_is_the_owners(server):
    assert airflow.ask(server.api, "GET", "/api/v2/dags")["dags"] == []
    assert stat.S_IMODE(server.passwords.stat().st_mode) == 0o600
    assert server.api.password not in repr(server.api)


# What web pages can do while the developer visits them in a real browser, logged in to Airflow in another tab


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def developer(browser, server):
    """A browser that is logged in, as by the link that `make up` prints."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.api.login)
    page.get_by_role("link", name="Admin").or_(page.get_by_role("button", name="Admin")).first.wait_for(timeout=60_000)
    yield context
    context.close()


@pytest.fixture
def kept(server):
    """No connection is made while the test runs."""

    def look():
        return airflow.ask(server.api, "GET", "/api/v2/connections")["total_entries"]

    before = look()
    yield
    assert look() == before


@pytest.fixture
def addresses(server):
    port = urllib.parse.urlsplit(server.api.url).port
    return [f"http://{host}:{port}" for host in ("127.0.0.1", "localhost")]


@pytest.mark.browser
@pytest.mark.parametrize("host", ["stranger.example", "127.0.0.1", "localhost"])
def test_a_page_of_somebody_else_changes_and_reads_nothing(developer, addresses, kept, host):
    with foreign_server() as foreign:
        page = foreign.visited(developer, host)
        for address in addresses:
            # A browser asks nobody's leave to send a request without a body, and to its own site with cookies.
            change = {"method": "POST", "mode": "no-cors", "credentials": "include"}
            assert page_asks(page, f"{address}/api/v2/connections/defaults", **change) == "sent"
            assert page_asks(page, f"{address}/auth/token") == "blocked"
            assert page_asks(page, f"{address}/api/v2/connections", credentials="include") == "blocked"
            page.set_content(f'<iframe src="{address}/"></iframe>')
            assert "expected no" in page.frame_locator("iframe").locator("body").inner_text()


@pytest.mark.browser
def test_a_name_that_is_bound_to_this_machine_later_is_no_way_in(developer, server, kept):
    base = f"http://rebound.example:{urllib.parse.urlsplit(server.api.url).port}"
    page = developer.new_page()
    page.route(f"{base}/page", lambda route: route.fulfill(body="<p>Win a bicycle!", content_type="text/html"))
    page.goto(f"{base}/page")
    assert page_asks(page, f"{base}/auth/token").startswith("403 expected this server's name")
    assert page_asks(page, f"{base}/api/v2/monitor/health").startswith("403 expected this server's name")


@pytest.mark.browser
def test_the_developers_own_pages_work(developer, server, kept):
    page = developer.new_page()
    page.goto(f"{server.api.url}/pools")
    headers, body = {"Content-Type": "application/json"}, json.dumps({"name": "own", "slots": 1})
    made = page_asks(page, f"{server.api.url}/api/v2/pools", method="POST", headers=headers, body=body)
    assert made.startswith("201 ")
    assert page_asks(page, f"{server.api.url}/api/v2/pools/own", method="DELETE").startswith("204 ")
