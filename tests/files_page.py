"""Airflow's API server with the Files page, a viewer and an operator, and a ledger with files that strangers named."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page

from api_server import api_server
from aws import ROOT, Place, feed_of
from filebatch.core import clock, feed_moves, file_moves, paths
from filebatch.core.contract import Reason, Result
from filebatch.core.file_moves import FileFailure
from filebatch.core.records import FileState
from filebatch_local.base import access
from filebatch_local.serve.background import LocalAws
from filebatch_worker import processor
from filebatch_worker.commit import stage
from local_system import airflow
from local_system.config import Config
from moves import BREAKER

FEED = feed_of(pattern=r".+\.csv", start="2020-01-01")
YAML = "prefix: orders/\npattern: .+\\.csv\nstart: 2020-01-01\n"
TOKEN = "0123456789abcdef-0001"
FAILED = "orders/2026-01-02/partner-x.csv"
ARRIVED = "orders/2026-01-02/waits.csv"
DONE = "orders/2026-01-02/done.csv"
PROFILE = ROOT / "tests" / "filebatch_worker" / "processors" / "tabular" / "golden" / "seattle-weather.csv.profile.json"
HOSTILE = "orders/<img src=x onerror=\"document.title='owned'\">\n'\"&\N{PILE OF POO}\u202e.csv"
WHY = "ProgramFailedError: the program ended with 1"
MARKUP = "<script>document.title='owned'</script><b>it broke</b>"
USERS = "admin:ADMIN,eve:VIEWER,nobody:"  # who has no role may do nothing


def token(config: Config, user: str) -> str:
    """Log one of Airflow's users in; return their token."""
    body = {"username": user, "password": json.loads(config.passwords.read_text())[user]}
    answer = httpx.post(f"{config.api.url}/auth/token", json=body, trust_env=False, timeout=60)
    return str(answer.raise_for_status().json()["access_token"])


def tab_of(browser: Browser, config: Config, user: str, **options: Any) -> Page:
    """Return a tab, in a browser of its own, of somebody who logged in."""
    context = browser.new_context(viewport={"width": 1200, "height": 700}, **options)
    context.add_cookies([{"name": "_token", "value": token(config, user), "url": config.api.url}])
    return context.new_page()


@dataclass
class FilesPage:
    """A running server with the page, its users' passwords, and the place that its feed is in."""

    config: Config
    place: Place

    def ask(self, path: str, user: str | None = "admin", method: str = "GET", body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token(self.config, user)}"} if user else {}
        with httpx.Client(base_url=self.config.api.url, trust_env=False, timeout=60) as client:
            return client.request(method, path, json=body, headers=headers)

    def runs(self) -> list[dict[str, Any]]:
        found = airflow.ask(self.config.api, "GET", "/api/v2/dags/orders/dagRuns")
        return list(found["dag_runs"])


@contextmanager
def files_page(server: LocalAws, folder: Path) -> Iterator[FilesPage]:
    """Start it all; end the API server afterwards."""
    place = Place(server)
    fail(place, FAILED, WHY)
    fail(place, HOSTILE, MARKUP)
    place.arrive(place.put(ARRIVED), feed=FEED)
    done(place)
    place.ledger.move(feed_moves.broken(None, BREAKER))
    dags = folder / "dags"
    (dags / "feeds").mkdir(parents=True)
    shutil.copy(ROOT / "dags" / "file_to_batch.py", dags)
    (dags / "feeds" / "orders.yaml").write_text(YAML)
    environment = access.credentials(server.key) | {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AIRFLOW_VAR_FILEBATCH": json.dumps(asdict(place.settings())),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": USERS,
    }
    with api_server(folder / "server", write_dags, **environment) as config:
        yield FilesPage(config, place)


def fail(place: Place, key: str, message: str) -> None:
    (row,) = place.arrive(place.put(key), feed=FEED)
    place.ledger.move(file_moves.claim(row, TOKEN, "manual__1", 1, clock.now()))
    why = FileFailure(Reason("bug", message))
    place.ledger.move(file_moves.fail(row, TOKEN, "orders", why, retry=None, now=clock.now()))


def done(place: Place) -> None:
    """Have a file done as its container does it, but for the container: its outputs lie where a worker puts them."""
    (row,) = place.arrive(place.put(DONE), feed=FEED)
    place.ledger.move(file_moves.claim(row, TOKEN, "manual__1", 1, clock.now()))
    file = place.ledger.get(row)
    assert file is not None
    prefix = f"{paths.of_generation(paths.RESULTS, FEED.name, file.work)}job-1/"
    made = (processor.Output("profile.json", PROFILE, None),)
    result = Result(
        feed=FEED.name,
        state=FileState.SUCCEEDED,
        work=file.work,
        claim=TOKEN,
        run_id="manual__1",
        job_id="job-1",
        outputs=stage(place.spared("s3"), place.results, prefix, made),
        rows=1461,
        reason=None,
        quarantine=None,
        notes={},
        timings={},
        used={},
        worker="0.1.0",
        started_at=clock.to_iso(clock.now()),
        committed_at=clock.to_iso(clock.now()),
    )
    place.ledger.move(file_moves.finish(row, TOKEN, result, f"s3://{place.results}/_result.json", clock.now()))


def write_dags(config: Config, environment: dict[str, str]) -> None:
    """Have Airflow write the folder's DAGs to its database, as no DAG processor runs here; USERS lacks passwords."""
    known = json.loads(config.passwords.read_text())
    config.passwords.write_text(json.dumps({**known, "eve": "e" * 40, "nobody": "n" * 40}))
    command = [str(config.python), "-m", "airflow", "dags", "reserialize"]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
