"""A whole system for end-to-end tests: a local AWS with real workers, and `airflow` as a user would call it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import mean
from filebatch.core import contract
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord, RunRecord
from filebatch.feeds import settings
from filebatch.feeds.feed import load_feeds
from filebatch.queries.audit import audit
from filebatch_local.base import access
from filebatch_local.base.layout import WORKER_IMAGE, Layout
from filebatch_local.batch.images import ImageEnv, of_repository
from filebatch_local.serve.background import LocalAws, local_aws
from filebatch_local.serve.shell import environment
from infra import judged

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
LINES = HERE / "feeds" / "lines.yaml"
PROGRAMS = HERE / "feeds" / "programs.yaml"


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    output: str


@dataclass(frozen=True)
class System:
    """A local AWS, an AIRFLOW_HOME and a DAG folder of one test module's own."""

    aws: LocalAws
    folder: Path
    variables: Mapping[str, str]

    def airflow(self, *arguments: str) -> Ended:
        """Call `airflow` as a user would."""
        command = [str(Path(sys.executable).parent / "airflow"), *arguments]
        ended = subprocess.run(command, env=self.variables, capture_output=True, text=True, check=False, timeout=300)
        return Ended(ended.returncode, ended.stdout + ended.stderr)

    def dags_test(self, feed: str, *date: str, conf: Mapping[str, Any] | None = None) -> Ended:
        """Run a feed's DAG with `airflow dags test`."""
        told = ("--conf", json.dumps(conf)) if conf else ()
        return self.airflow("dags", "test", *told, feed, *date)

    def client(self, service: str) -> Any:
        """Return a client of who looks on: nothing that it asks goes wrong."""
        return self.aws.client(service, access.SPARED)

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.client("dynamodb"), self.aws.settings["ledger"])

    @property
    def results(self) -> str:
        return str(self.aws.settings["buckets"]["results"])

    def put(self, key: str, content: bytes | str) -> None:
        self.s3.put_object(Bucket=self.aws.settings["buckets"]["new_files"], Key=key, Body=content)

    def files(self, prefix: str = "") -> dict[str, FileRecord]:
        """Return the ledger's files by key; of several versions the one that arrived last."""
        items = sorted(
            (file for file in self.ledger.scan() if isinstance(file, FileRecord)), key=lambda file: file.arrived_at
        )
        return {file.key: file for file in items if file.key.startswith(prefix)}

    def states(self, prefix: str = "") -> dict[str, str]:
        return {key: str(file.state) for key, file in self.files(prefix).items()}

    def result(self, item: FileRecord) -> contract.Result:
        """Read the result that the ledger points to."""
        key = item.result.removeprefix(f"s3://{self.results}/")
        return contract.Result.from_json(json.loads(self.s3.get_object(Bucket=self.results, Key=key)["Body"].read()))

    def commits(self, key: str) -> list[str]:
        """Return the `_result.json` objects of all versions and generations of a key."""
        listed = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.results, Prefix="results/")
        keys = (each["Key"] for page in listed for each in page.get("Contents", []))
        found = [name for name in keys if name.endswith("_result.json")]
        bodies = {name: json.loads(self.s3.get_object(Bucket=self.results, Key=name)["Body"].read()) for name in found}
        return sorted(name for name, body in bodies.items() if body["work"]["file"]["key"] == key)

    def audit(self) -> str:
        """Return what the audit says of the feeds of this system."""
        feeds, _ = load_feeds(Path(self.variables["AIRFLOW__CORE__DAGS_FOLDER"]) / "feeds")
        return str(audit(feeds, settings.parse(self.aws.settings), self.s3, self.client("dynamodb")))

    def jobs(self) -> list[str]:
        """Return the names of all jobs that were ever submitted."""
        batch, queue = self.client("batch"), self.aws.settings["job_queue"]
        listed = batch.list_jobs(jobQueue=queue, filters=[{"name": "JOB_NAME", "values": ["*"]}])
        return [job["jobName"] for job in listed["jobSummaryList"]]

    def runs(self, feed: str) -> list[RunRecord]:
        """Return a feed's owner records."""
        return [run for run in self.ledger.scan() if isinstance(run, RunRecord) and run.feed == feed]

    def metric(self, name: str, feed: str) -> float:
        """Return the sum of a metric over the last hours, as CloudWatch has it."""
        from datetime import UTC, datetime, timedelta

        now = datetime.now(UTC)
        answer = self.client("cloudwatch").get_metric_statistics(
            Namespace=self.aws.settings["namespace"],
            MetricName=name,
            Dimensions=[{"Name": "Feed", "Value": feed}],
            StartTime=now - timedelta(hours=2),
            EndTime=now + timedelta(minutes=2),
            Period=60,
            Statistics=["Sum"],
        )
        return float(sum(point["Sum"] for point in answer["Datapoints"]))


@contextmanager
def system(folder: Path, *, feeds: Sequence[Path] = (), options: Sequence[str] = ()) -> Iterator[System]:
    """Start a system with the repository's DAGs and feeds, and some more; judge in the end what it asked of AWS."""
    dags = folder / "dags"
    shutil.copytree(ROOT / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    for feed in feeds:
        shutil.copy(feed, dags / "feeds")
    layout = Layout.here()
    worker = of_repository(layout)[WORKER_IMAGE]
    paths = f"{worker.env['PYTHONPATH']}:{HERE / 'processors'}"
    images = {WORKER_IMAGE: ImageEnv(worker.path, {**worker.env, "PYTHONPATH": paths})}
    home = _airflow_home(folder)
    recording = folder / "requests.jsonl"
    asked = ("--record", str(recording), *mean.options("most"), *options)
    with local_aws(images=images, feeds_dir=dags / "feeds", options=asked) as aws:
        airflow = {
            **judged.airflow(aws),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        }
        variables = {**os.environ, **environment(layout, aws.endpoint, aws.settings, aws.key), **airflow}
        yield System(aws, folder, variables)
        judged.judge(recording, aws.settings)


def _airflow_home(folder: Path) -> Path:
    """Return an AIRFLOW_HOME with the database that set-up made for this interpreter's Airflow."""
    made = Layout.here().airflow_home(Path(sys.prefix)) / "pristine.db"
    home = folder / "airflow"
    home.mkdir()
    shutil.copy(made, home / "airflow.db")
    return home
