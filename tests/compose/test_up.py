"""docker-compose.yaml brought up for real: a file dropped from this machine is processed by what runs in containers."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from aws import until
from compose.containers import HEALTHY_WITHIN, ROOT, Project, no_compose, project
from engine import docker
from filebatch.feeds import settings
from filebatch.feeds.feed import load_feeds
from filebatch.queries.audit import audit
from filebatch_local.base import access
from filebatch_local.base.layout import WORKER_IMAGE
from local_system import airflow

pytestmark = pytest.mark.docker

SERVERS = {"postgres", "redis"}  # of others: as whom they run is their images' to say


# Both executors, and both ways of running jobs.
WAYS = [("LocalExecutor", "processes"), ("CeleryExecutor", "containers")]


@pytest.fixture(scope="module", params=WAYS, ids="-".join)
def running(request) -> Iterator[Project]:
    if reason := no_compose():
        pytest.skip(reason)
    with project(*request.param) as found:
        yield found
    assert found.containers() == []


def test_a_file_dropped_from_this_machine_is_processed_by_a_run_that_it_started(running):
    health = access.ask(running.endpoint, running.shell["AWS_SECRET_ACCESS_KEY"], "GET", "health")
    before = int(time.time())
    found = settings.parse(health["settings"])
    s3, dynamodb = running.client("s3"), running.client("dynamodb")
    s3.upload_file(str(ROOT / "samples" / "airports.csv"), found.new_files, "tables/airports.csv")

    def settled() -> dict[str, Any] | None:
        items = [one for one in dynamodb.scan(TableName=found.ledger)["Items"] if one.get("key") and one.get("rows")]
        return items[0] if items else None

    item = until(settled, HEALTHY_WITHIN, every=1)
    assert item["key"]["S"] == "tables/airports.csv"
    assert item["state"]["S"] == "SUCCEEDED"
    # A sweep may have taken the file first, but the bell has rung in any case.
    assert airflow.ask(running.airflow, "GET", "/api/v2/dags/tables/dagRuns?run_type=asset_triggered")["dag_runs"]
    bucket = found.results("tables")
    result = s3.get_object(Bucket=bucket, Key=item["result"]["S"].removeprefix(f"s3://{bucket}/"))
    assert json.load(result["Body"])["outputs"]
    assert (jobs_started(since=before) > 0) == (running.jobs == "containers")
    assert ("succeeded" in running.logs("worker")) == (running.executor == "CeleryExecutor")
    feeds, _ = load_feeds(ROOT / "dags" / "feeds")
    looked = audit(feeds, found, s3, dynamodb)
    assert (looked.files, looked.new, list(looked.findings)) == (1, 0, [])


def jobs_started(since: int) -> int:
    """Return how many containers of the worker's image the engine has started since then."""
    of_jobs = ("--filter", "event=start", "--filter", f"image={WORKER_IMAGE}")
    told = docker("events", "--since", str(since), "--until", str(int(time.time()) + 1), *of_jobs).stdout
    return len(told.decode().splitlines())


def test_airflow_is_up_with_every_feed_unpaused(running):
    feeds, _ = load_feeds(ROOT / "dags" / "feeds")
    assert {feed.name for feed in feeds} <= set(until(lambda: airflow.unpaused(running.airflow)))
    assert airflow.unhealthy(running.airflow, 0) == []
    assert airflow.ask(running.airflow, "GET", "/api/v2/importErrors")["import_errors"] == []


def test_nothing_of_ours_runs_as_root_and_all_is_published_on_loopback_only(running):
    found = running.containers()
    assert {one["user"] for one in found if one["service"] not in SERVERS} == {"airflow"}
    assert set().union(*(one["addresses"] for one in found)) == {"127.0.0.1"}


def test_nobody_is_let_in_without_what_the_containers_print(running):
    addresses = [
        running.endpoint,
        f"http://{running.address('aws')}:4566",
        f"http://{running.address('api-server')}:8080",
    ]
    assert [status(f"{address}/") for address in addresses] == [403] * 3
    assert status(f"{running.airflow.url}/auth/token") == 403
    assert status(f"{running.airflow.url}/api/v2/dags") == 401
    assert {running.address(one["service"]) for one in running.containers() if one["service"] in SERVERS} == {""}


def test_a_local_aws_that_starts_again_has_the_key_that_airflow_knows(running):
    key = running.shell["AWS_SECRET_ACCESS_KEY"]
    assert running.compose("restart", "aws").returncode == 0
    until(lambda: all(each["healthy"] for each in running.containers()), HEALTHY_WITHIN, every=1)
    assert key in running.printed("aws", "python", "-m", "filebatch_local", "env")
    assert running.client("s3").list_buckets()["Buckets"]


def status(url: str) -> int:
    try:
        return int(urllib.request.urlopen(url, timeout=10).status)  # noqa: S310 - a container's
    except urllib.error.HTTPError as error:
        return error.code
