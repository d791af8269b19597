"""Who Airflow's web server answers: asked over HTTP, with each header as its sender would write it."""

import http.client
import json
import stat
import urllib.parse

import pytest

from api_server import api_server
from local_system import airflow
from local_system.airflow import USER

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with api_server(tmp_path_factory.mktemp("airflow")) as found:
        yield found


@pytest.fixture
def ask(place):
    """Ask without being redirected; return status, headers and text."""

    def asking(path, method="GET", body=None, **headers):
        port = urllib.parse.urlsplit(place.api.url).port
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


def test_its_own_pages_may_ask(ask, place):
    said = json.dumps({"username": USER, "password": place.api.password})
    status, _, text = ask("/auth/token", "POST", said, Origin=place.api.url, Sec_Fetch_Site="same-origin")
    assert status == 201
    assert json.loads(text)["access_token"]


def test_the_link_that_is_printed_logs_in(ask, place):
    link = urllib.parse.urlsplit(place.api.login)
    status, headers, _ = ask(f"{link.path}?{link.query}", Sec_Fetch_Site="none")
    cookie = headers["Set-Cookie"]
    assert (status, headers["Location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    assert ask("/ui/config", Cookie=cookie.split(";")[0])[0] == 200
    assert ask("/ui/config")[0] == 401


def test_our_own_tools_ask_with_the_password_of_a_file_that_is_the_owners(place):
    assert airflow.ask(place.api, "GET", "/api/v2/dags")["dags"] == []
    assert stat.S_IMODE(place.passwords.stat().st_mode) == 0o600
    assert place.api.password not in repr(place.api)
