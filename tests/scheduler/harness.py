"""Real Airflow processes over a local AWS, and a proxy that the triggerer talks through."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import yaml

import mean
from aws import until
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.core.rows import Row
from filebatch.feeds import settings
from filebatch.feeds.feed import load_feeds
from filebatch.queries.audit import audit
from filebatch_local.base import access
from filebatch_local.base.layout import Layout
from filebatch_local.base.ports import free_port
from filebatch_local.serve.background import LocalAws
from infra import judged
from local_system import airflow, parts
from local_system.config import Config, airflow_environment
from local_system.system import down, up
from scheduler.proxy import Hold, Proxy, proxy_of

T = TypeVar("T")
HERE = Path(__file__).parent
BESIDE = ("unprotected.py", "stands_still.py")  # modules that DAGs and tasks import
# Seconds; it only says when to give up. Airflow at times fails a task that was deferred for a moment only
# (docs/architecture.md), and the third retry of a task is made after up to four minutes.
PATIENCE = 600
TODAY = datetime.now(UTC).date()
# Runs of the schedule would hide what most tests are about: a feed has none unless it is told otherwise.
SELDOM = {
    "pattern": r"(?P<date>\d{4}-\d{2}-\d{2})/[^/]+\.csv",
    "day_prefix": "%Y-%m-%d/",
    "start": str(TODAY),
    "schedule": "0 0 29 2 *",
}
DAILY = {"start": str(TODAY - timedelta(days=60)), "schedule": "0 0 * * *"}
VISIBILITY = 15  # seconds until a message that was received comes again


def wait(look: Callable[[], Any]) -> None:
    """Wait for a true answer, and ask no more often than leaves the system its processors."""
    wait_for(look)


def wait_for(look: Callable[[], T | None]) -> T:
    """Wait for a true answer, and return it."""
    return until(look, PATIENCE, every=0.5)


def task_path(feed: str, run_id: str, name: str) -> str:
    return f"/api/v2/dags/{feed}/dagRuns/{quote(run_id)}/taskInstances/{name}"


@dataclass(frozen=True)
class Whole:
    """A running system and what tests ask of it; which feeds' files lie under another name than their own."""

    config: Config
    aws: LocalAws
    proxy: Proxy
    options: Sequence[str]
    prefixes: dict[str, str] = field(default_factory=dict)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.client("dynamodb"), self.aws.settings["ledger"])

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")

    @cached_property
    def sqs(self) -> Any:
        return self.client("sqs")

    def client(self, service: str) -> Any:
        """Return a client of who looks on: nothing that it asks goes wrong."""
        return self.aws.client(service, access.SPARED)

    def drop(self, feed: str, *names: str, day: date = TODAY, body: bytes | None = None) -> list[Row[FileRecord]]:
        """Put files of a day under a feed's prefix, small ones that have their key; return their keys in the ledger."""
        bucket = self.aws.settings["buckets"]["new_files"]
        keys = [f"{feed}/{day}/{name}.csv" for name in names]
        bodies = [body or f"id\n{key}\n".encode() for key in keys]
        answers = [
            self.s3.put_object(Bucket=bucket, Key=key, Body=each) for key, each in zip(keys, bodies, strict=True)
        ]
        uris = (f"s3://{bucket}/{key}" for key in keys)
        return [Row(FileRecord, uri, answer["VersionId"]) for uri, answer in zip(uris, answers, strict=True)]

    def items(self, keys: Sequence[Row[FileRecord]]) -> list[FileRecord]:
        return list(self.ledger.get_many(keys).values())

    def are(self, keys: Sequence[Row[FileRecord]], *found: str) -> bool:
        items = self.items(keys)
        return len(items) == len(keys) and all(item.state in found for item in items)

    def done(self, keys: Sequence[Row[FileRecord]], seconds: float = PATIENCE) -> None:
        """Wait until all have SUCCEEDED, and see that each did at once, and that these are all that was claimed."""
        until(lambda: self.are(keys, FileState.SUCCEEDED), seconds, every=0.5)
        items = self.items(keys)
        assert {(item.generation, item.attempts) for item in items} == {(1, 1)}
        assert sum(map(self.claimed, {item.feed for item in items})) == len(keys)

    def claimed(self, feed: str) -> int:
        """Return how many files all runs of a feed have claimed, whatever became of them."""
        records = self.ledger.scan()
        return sum(run.files for run in records if isinstance(run, RunRecord) and run.feed == feed)

    def runs(self, feed: str) -> list[dict[str, Any]]:
        return list(airflow.ask(self.config.api, "GET", f"/api/v2/dags/{feed}/dagRuns?limit=1000")["dag_runs"])

    def unfinished(self, feed: str) -> list[dict[str, Any]]:
        """Return a feed's runs that wait for their turn or go on."""
        return [run for run in self.runs(feed) if run["state"] in ("queued", "running")]

    def state(self, feed: str, run_id: str) -> str:
        return next(str(run["state"]) for run in self.runs(feed) if run["dag_run_id"] == run_id)

    def begin(self, feed: str, **body: Any) -> str:
        """Trigger a run as the form and the REST API do; return its id."""
        path = f"/api/v2/dags/{feed}/dagRuns"
        return str(airflow.ask(self.config.api, "POST", path, {"logical_date": None, "conf": {}, **body})["dag_run_id"])

    def trigger(self, feed: str, **body: Any) -> str:
        """Trigger a run, and wait until it has ended; return its state."""
        run_id = self.begin(feed, **body)
        wait(lambda: self.state(feed, run_id) in ("success", "failed"))
        return self.state(feed, run_id)

    def delete(self, feed: str, run_id: str) -> None:
        airflow.ask(self.config.api, "DELETE", f"/api/v2/dags/{feed}/dagRuns/{quote(run_id)}")

    def task(self, feed: str, run_id: str, name: str) -> dict[str, Any]:
        return dict(airflow.ask(self.config.api, "GET", task_path(feed, run_id, name)))

    def jobs(self, feed: str) -> list[dict[str, Any]]:
        """Return a feed's jobs as ListJobs has them."""
        request = {
            "jobQueue": self.aws.settings["job_queue"],
            "filters": [{"name": "JOB_NAME", "values": [f"{feed}-*"]}],
        }
        found = self.client("batch").list_jobs(**request)["jobSummaryList"]
        return sorted(found, key=lambda job: job["jobName"])

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.client("batch").describe_jobs(jobs=[job_id])["jobs"][0])

    def at_work(self, feed: str, name: str) -> tuple[list[Row[FileRecord]], str, str]:
        """Drop a file of a slow feed; once its job is at work and waited for, return its row, its run and its job."""
        keys = self.drop(feed, name)
        wait(lambda: self.are(keys, FileState.CLAIMED))
        (item,) = self.items(keys)
        wait(lambda: self.task(feed, item.run_id or "", "process_files")["state"] == "deferred")
        job = wait_for(lambda: next((job for job in self.jobs(feed) if (item.claim or "") in job["jobName"]), None))
        return keys, item.run_id or "", job["jobId"]

    def events(self, feed: str, of: str = "arrivals") -> list[dict[str, Any]]:
        """Return the events of one of a feed's assets: of its doorbell, or of its results."""
        name = f"{feed}-{of}"
        found = airflow.ask(self.config.api, "GET", f"/api/v2/assets/events?name_pattern={name}&limit=1000")
        return [event for event in found["asset_events"] if event["name"] == name]

    def messages(self, word: str) -> list[str]:
        """Return the messages to people in which a word stands, such as a run's id."""
        return [text for text in self.config.layout.messages.read_text("utf-8").split("--- ") if word in text]

    def pause(self, feed: str, *, paused: bool) -> None:
        airflow.ask(self.config.api, "PATCH", f"/api/v2/dags/{feed}", {"is_paused": paused})

    def backfill(self, feed: str, days: int) -> int:
        body = {
            "dag_id": feed,
            "from_date": f"{TODAY - timedelta(days=days)}T00:00:00Z",
            "to_date": f"{TODAY - timedelta(days=1)}T00:00:00Z",
            "max_active_runs": 1,
            "dag_run_conf": {},
        }
        return int(airflow.ask(self.config.api, "POST", "/api/v2/backfills", body)["id"])

    def cancel(self, backfill: int) -> None:
        airflow.ask(self.config.api, "PUT", f"/api/v2/backfills/{backfill}/cancel")

    def part(self, name: str) -> parts.Part:
        return next(part for part in reversed(parts.recorded(self.config)) if part.name == name)

    def start(self, name: str, **more: str) -> None:
        """Start a part, beside any of the same name, with more environment."""
        extra = self.config.extra_environment
        config = replace(self.config, extra_environment={**extra, name: {**extra.get(name, {}), **more}})
        parts.start_all(config, [name], airflow_environment(config, self.aws.endpoint, self.aws.settings, self.aws.key))

    def restart(self, name: str, **more: str) -> None:
        """End a part, if it hasn't ended, and start it anew."""
        parts.stop([self.part(name)])
        parts.record(self.config, [part for part in parts.recorded(self.config) if part.name != name])
        self.start(name, **more)

    def again(self) -> None:
        """Take the whole down and up; Airflow's database is kept."""
        down(self.config)
        up(self.config, self.options)

    def queue(self, feed: str) -> str:
        return f"{self.aws.settings['queue_prefix']}{feed}"

    def queue_is_empty(self, feed: str) -> bool:
        kinds = ("", "NotVisible", "Delayed")
        names = [f"ApproximateNumberOfMessages{kind}" for kind in kinds]
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue(feed), AttributeNames=names)
        return not any(int(count) for count in found["Attributes"].values())

    def return_in(self, seconds: int, held: Hold) -> None:
        """Have messages whose acknowledgement is held come again after so many seconds from now."""
        request = json.loads(held.body)
        for entry in request["Entries"]:
            self.sqs.change_message_visibility(
                QueueUrl=request["QueueUrl"], ReceiptHandle=entry["ReceiptHandle"], VisibilityTimeout=seconds
            )

    def audit(self, names: Sequence[str] | None = None) -> str:
        """Return what the audit says of some feeds, or of all."""
        feeds = [feed for feed in load_feeds(self.config.dags / "feeds")[0] if names is None or feed.name in names]
        return str(audit(feeds, settings.parse(self.aws.settings), self.s3, self.client("dynamodb")))


@contextmanager
def whole(
    folder: Path, feeds: Mapping[str, Mapping[str, Any]], file: str = "dags_file.py", users: str = "", **triggerer: str
) -> Iterator[Whole]:
    """Start a system on free ports, on this interpreter's Airflow; end it afterwards, and judge what it asked of AWS.

    Args:
        folder: where it keeps its state.
        feeds: what each feed says, by its name.
        file: the DAG file.
        users: of Airflow, beside its administrator, with their roles: `eve:VIEWER`.
        triggerer: more environment of the triggerer.
    """
    dags, recording = _dags(folder / "dags", feeds, file), folder / "requests.jsonl"
    config = Config(Layout.here(folder / "state"), Path(sys.executable), free_port(), free_port(), dags)
    with proxy_of(f"http://127.0.0.1:{config.aws_port}") as (proxy, url):
        config = replace(
            config,
            aws_user=judged.AIRFLOW,
            extra_environment={
                "triggerer": {
                    "AWS_ENDPOINT_URL": url,
                    "PYTHONPATH": f"{config.layout.root / 'tools'}:{config.layout.package}:{dags}",
                    # A new triggerer takes over from a dead one after this many seconds.
                    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
                    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
                    **triggerer,
                },
                "api-server": {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{airflow.USER}:ADMIN,{users}".strip(",")},
                "dag-processor": {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10"},
            },
        )
        try:
            options = ("--feeds", str(dags / "feeds"), "--record", str(recording), *mean.options("most"))
            aws = up(config, options)
            found = Whole(config, aws, proxy, options)
            for feed in aws.feeds:
                found.sqs.set_queue_attributes(
                    QueueUrl=found.queue(feed), Attributes={"VisibilityTimeout": str(VISIBILITY)}
                )
            yield found
        finally:
            down(config)
        judged.judge(recording, aws.settings, found.prefixes)


def _dags(folder: Path, feeds: Mapping[str, Mapping[str, Any]], file: str) -> Path:
    (folder / "feeds").mkdir(parents=True)
    shutil.copy(HERE / file, folder / "feeds.py")
    for module in BESIDE:
        shutil.copy(HERE / module, folder)
    (folder / ".airflowignore").write_text("\n".join(BESIDE), encoding="utf-8")
    for name, said in feeds.items():
        feed = {"prefix": f"{name}/", **SELDOM, **said}
        (folder / "feeds" / f"{name}.yaml").write_text(yaml.safe_dump(feed), encoding="utf-8")
    return folder
