"""Real Airflow processes over a local AWS, and a proxy that the triggerer talks through."""

import shutil
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from aws import until
from filebatch import settings, states
from filebatch.audit import audit
from filebatch.feed import load_feeds
from filebatch.ledger import Item, Ledger
from filebatch_local.background import LocalAws
from filebatch_local.layout import Layout
from local_system import airflow, parts
from local_system.place import Place, airflow_environment
from local_system.system import down, up
from scheduler.proxy import Proxy, proxy_of

HERE = Path(__file__).parent
NEVER = "0 0 29 2 *"
DAILY = "0 0 * * *"
TODAY = datetime.now(UTC).date()
VISIBILITY = 8  # seconds until a message that was received comes again


@dataclass(frozen=True)
class Whole:
    """A running system and what tests ask of it."""

    place: Place
    aws: LocalAws
    proxy: Proxy

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
        keys = {"aws_access_key_id": "filebatch-local", "aws_secret_access_key": "filebatch-local"}
        return boto3.client(service, endpoint_url=self.aws.endpoint, region_name="eu-west-1", **keys)

    def drop(self, feed: str, *names: str, day: date = TODAY) -> list[states.Key]:
        """Put small files of a day under a feed's prefix; return their keys in the ledger."""
        bucket = self.aws.settings["buckets"]["new_files"]
        keys = [f"{feed}/{day}/{name}.csv" for name in names]
        answers = [self.s3.put_object(Bucket=bucket, Key=key, Body=f"id\n{key}\n".encode()) for key in keys]
        return [(f"s3://{bucket}/{key}", answer["VersionId"]) for key, answer in zip(keys, answers, strict=True)]

    def items(self, keys: Sequence[states.Key]) -> list[Item]:
        return list(self.ledger.get_many(keys).values())

    def are(self, keys: Sequence[states.Key], *found: str) -> bool:
        items = self.items(keys)
        return len(items) == len(keys) and all(item["state"] in found for item in items)

    def done(self, keys: Sequence[states.Key], seconds: float) -> None:
        """Wait until all have SUCCEEDED, and see that each did at once."""
        until(lambda: self.are(keys, states.SUCCEEDED), seconds, every=0.5)
        assert {(item["generation"], item["attempts"]) for item in self.items(keys)} == {(1, 1)}

    def runs(self, feed: str) -> list[dict[str, Any]]:
        return list(airflow.ask(self.place.api, "GET", f"/api/v2/dags/{feed}/dagRuns?limit=1000")["dag_runs"])

    def pause(self, feed: str, *, paused: bool) -> None:
        airflow.ask(self.place.api, "PATCH", f"/api/v2/dags/{feed}", {"is_paused": paused})

    def backfill(self, feed: str, days: int) -> int:
        body = {
            "dag_id": feed,
            "from_date": f"{TODAY - timedelta(days=days)}T00:00:00Z",
            "to_date": f"{TODAY - timedelta(days=1)}T00:00:00Z",
            "max_active_runs": 1,
            "dag_run_conf": {},
        }
        return int(airflow.ask(self.place.api, "POST", "/api/v2/backfills", body)["id"])

    def cancel(self, backfill: int) -> None:
        airflow.ask(self.place.api, "PUT", f"/api/v2/backfills/{backfill}/cancel")

    def part(self, name: str) -> parts.Part:
        return next(part for part in reversed(parts.recorded(self.place)) if part.name == name)

    def restart(self, name: str) -> None:
        environment = airflow_environment(self.place, self.aws.endpoint, self.aws.settings)
        left = [part for part in parts.recorded(self.place) if part.name != name]
        parts.record(self.place, left)
        parts.start_all(self.place, [name], environment)

    def queue_is_empty(self, feed: str) -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.aws.settings["queues"][feed], AttributeNames=names)
        return not any(int(count) for count in found["Attributes"].values())

    def audit(self) -> str:
        feeds, _ = load_feeds(self.place.dags / "feeds")
        return str(audit(feeds, settings.parse(self.aws.settings), self.s3, self.client("dynamodb")))


@contextmanager
def whole(folder: Path, feeds: Mapping[str, str]) -> Iterator[Whole]:
    """Start a system on free ports with feeds and their schedules, on this interpreter's Airflow; end it afterwards."""
    dags = _dags(folder / "dags", feeds)
    place = Place(Layout.here(folder / "state"), Path(sys.executable), free_port(), free_port(), dags)
    with proxy_of(f"http://127.0.0.1:{place.aws_port}") as (proxy, url):
        place = replace(
            place,
            more={
                "triggerer": {
                    "AWS_ENDPOINT_URL": url,
                    # A new triggerer takes over from a dead one after this many seconds.
                    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
                    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
                },
                "dag-processor": {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10"},
            },
        )
        try:
            aws = up(place, ("--feeds", str(dags / "feeds")))
            found = Whole(place, aws, proxy)
            for queue in aws.settings["queues"].values():
                found.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": str(VISIBILITY)})
            yield found
        finally:
            down(place)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _dags(folder: Path, feeds: Mapping[str, str]) -> Path:
    (folder / "feeds").mkdir(parents=True)
    shutil.copy(HERE / "dags_file.py", folder / "feeds.py")
    for name, schedule in feeds.items():
        start = TODAY - timedelta(days=60) if schedule == DAILY else TODAY
        lines = [
            f"prefix: {name}/",
            r"pattern: (?P<date>\d{4}-\d{2}-\d{2})/[^/]+\.csv",
            'day_prefix: "%Y-%m-%d/"',
            f"start: {start}",
            f'schedule: "{schedule}"',
        ]
        (folder / "feeds" / f"{name}.yaml").write_text("\n".join(lines) + "\n")
    return folder
