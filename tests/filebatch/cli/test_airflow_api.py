"""Airflow's REST API as the command line asks it: Amazon MWAA's through AWS."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import mwaa
from aws import ROOT, until
from doctor.airflow import paused_elsewhere
from filebatch.cli import airflow_api
from filebatch.cli.airflow_api import Airflow, AirflowError


@pytest.fixture
def environment(place, server, tmp_path, monkeypatch):
    """An environment with the repository's feeds, in a shell that names it."""
    made = mwaa.bucket(place.connect)
    for file in ("file_to_batch.py", "feeds/tables.yaml"):
        made.put(f"dags/{file}", (ROOT / "dags" / file).read_bytes())
    made.create(mwaa.plugins_zip(tmp_path), b"")
    shell = {
        **server.credentials(),
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        airflow_api.MWAA: made.name,
    }
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    return made


def test_a_run_is_started_through_aws_where_the_shell_names_an_environment(environment):
    airflow = Airflow.here()

    run = airflow_api.start(airflow, "tables", {"keys": ["tables/a.csv"]}, "retry: once more")

    def started():
        return airflow_api.ask(airflow, "GET", "/dags/tables/dagRuns", query={"limit": 5})["dag_runs"]

    assert [(each["dag_run_id"], each["conf"]) for each in started()] == [(run, {"keys": ["tables/a.csv"]})]
    until(lambda: started()[0]["state"] == "failed")  # nobody has made the environment's settings


def test_what_airflow_refuses_is_told_with_its_words(environment):
    with pytest.raises(
        AirflowError, match=r"MWAA environment mwaa-\w+: .* POST /dags/none/dagRuns, found 404 .*Not Found"
    ):
        airflow_api.start(Airflow.here(), "none", {}, "")


def test_an_environment_that_isnt_there_is_told(environment, monkeypatch):
    monkeypatch.setenv(airflow_api.MWAA, "none")
    with pytest.raises(AirflowError, match="ResourceNotFoundException no environment none"):
        airflow_api.start(Airflow.here(), "tables", {}, "")


def test_a_path_that_is_too_long_for_mwaa_is_told(environment):
    with pytest.raises(AirflowError, match="at most 64 characters"):
        airflow_api.start(Airflow.here(), "x" * 60, {}, "")


def test_without_a_name_of_an_environment_airflow_is_asked_over_http(monkeypatch):
    monkeypatch.delenv(airflow_api.MWAA, raising=False)
    monkeypatch.setenv(airflow_api.URL, "http://127.0.0.1:9")

    assert airflow_api.start(Airflow.here(), "tables", {}, "") is None


@contextmanager
def answering(body, after=0.0):
    """A server that answers everything with one page, after a while."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self):
            time.sleep(after)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Airflow(f"http://127.0.0.1:{server.server_port}", "token")
        server.shutdown()


def test_a_page_that_is_none_of_airflows_is_told():
    with answering(b"<h1>the proxy's</h1>") as other, pytest.raises(AirflowError, match="found 200 <h1>the proxy's"):
        airflow_api.start(other, "tables", {}, "")


def test_an_answer_that_doesnt_come_is_told(monkeypatch):
    monkeypatch.setattr(airflow_api, "TIMEOUT", 0.2)
    told = r"ReadTimeout.*may be done all the same"
    with answering(b"", after=1.0) as slow, pytest.raises(AirflowError, match=told):
        airflow_api.start(slow, "tables", {}, "")


def test_a_list_is_read_to_its_end(monkeypatch):
    entries = [{"dag_id": str(number)} for number in range(250)]

    def ask(airflow, method, path, *, query):
        start = query["offset"]
        return {"dags": entries[start : start + min(query["limit"], 100)], "total_entries": len(entries)}

    monkeypatch.setattr(airflow_api, "ask", ask)
    assert airflow_api.pages(Airflow("http://127.0.0.1:9"), "/dags", "dags") == entries


def test_the_doctor_asks_the_environment_that_the_shell_names_for_paused_dags(environment):
    assert list(paused_elsewhere(["tables"])) == []
    environment.mwaa.invoke_rest_api(
        Name=environment.name, Method="PATCH", Path="/dags/tables", Body={"is_paused": True}
    )
    assert [each.what for each in paused_elsewhere(["tables"])] == ["the DAG tables is paused, or isn't there"]
