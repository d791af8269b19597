"""A test's own corner of one shared local AWS: real clients over HTTP, and names that no other test has."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

import boto3
import psutil
from botocore import xform_name
from botocore.config import Config

import emulators
import mean
from filebatch.core import clock, file_moves
from filebatch.core.contract import FileVersion
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord
from filebatch.core.rows import Row
from filebatch.feeds.feed import Feed
from filebatch.feeds.settings import Settings
from filebatch.runs.context import FeedContext
from filebatch_local.base import access
from filebatch_local.base.processes import Process
from filebatch_local.provision.documents import render
from filebatch_local.serve.background import LocalAws

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ROOT / "infra" / "documents"
REGION = "eu-west-1"
NOW = clock.parse_utc("2026-03-01T12:00:00Z")

T = TypeVar("T")


def until(look: Callable[[], T | None], seconds: float = 20.0, every: float = 0.02) -> T:
    """Return the first true answer of `look`; fail where none comes in time."""
    deadline = time.monotonic() + mean.patient(seconds)
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"nothing within {seconds} s, at last {found!r}"
        time.sleep(every)


def stays(look: Callable[[], object], seconds: float) -> None:
    """Look again and again for so long; fail where an answer isn't true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert look()
        time.sleep(min(1.0, seconds / 10))


def feed_of(name: str = "orders", **fields: Any) -> Feed:
    return Feed.model_validate({"name": name, "prefix": f"{name}/", "start": "2020-01-01", **fields})


@dataclass(frozen=True)
class Place:
    """Buckets, ledger, queue and job definition of one test; each is made when it is first used."""

    server: LocalAws
    name: str = field(default_factory=lambda: f"t-{uuid.uuid4().hex[:12]}")

    @cached_property
    def connect(self) -> Callable[[str], Any]:
        """Clients for what is tested; nothing spares them."""
        return connector(self.server.endpoint, self.server.key)

    @cached_property
    def spared(self) -> Callable[[str], Any]:
        """Clients for what a test prepares and looks at, where the local AWS is mean."""
        return connector(self.server.endpoint, self.server.key, access.SPARED)

    @cached_property
    def new_files(self) -> str:
        return self._bucket("new-files", versioned=True)

    @cached_property
    def plain_files(self) -> str:
        """A bucket that keeps no versions."""
        return self._bucket("plain-files", versioned=False)

    @cached_property
    def results(self) -> str:
        return self._bucket("results", versioned=True)

    @cached_property
    def table(self) -> str:
        name, dynamodb = f"{self.name}-ledger", self.spared("dynamodb")
        dynamodb.create_table(**render(DOCUMENTS, "ledger", name=name))
        if emulators.of("dynamodb"):
            dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})
        return name

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.connect("dynamodb"), self.table)

    @cached_property
    def prepared(self) -> Ledger:
        """The ledger as a test itself writes it."""
        return Ledger(self.spared("dynamodb"), self.table)

    def settings(self, **fields: Any) -> Settings:
        shared = self.server.settings
        values = {
            "region": REGION,
            "environment": self.name,
            "buckets": {"new_files": self.new_files, "results": self.results},
            "queue_prefix": f"{emulators.of('sqs') or self.server.endpoint}/123456789012/{self.name}-",
            "topics": self._topics() if emulators.of("sns") else shared["topics"],
            "ledger": self.table,
            "job_queue": shared["job_queue"],
            "job_definition_prefix": f"{self.name}-",
            "namespace": self.name,
        }
        return Settings(**{**values, **fields})

    def _topics(self) -> dict[str, str]:
        sns = self.spared("sns")
        names = ("stakeholders", "developers")
        return {name: sns.create_topic(Name=f"{self.name}-{name}")["TopicArn"] for name in names}

    def ctx(self, feed: Feed | None = None, now: Callable[[], datetime] = clock.now, **fields: Any) -> FeedContext:
        return FeedContext(feed or feed_of(), self.settings(**fields), self.connect, now=now)

    def put(self, key: str, content: bytes = b"a,b\n1,2\n", bucket: str | None = None, **more: str) -> FileVersion:
        """Put an object; return its version as a listing would have it."""
        bucket = bucket or self.new_files
        answer = self.spared("s3").put_object(Bucket=bucket, Key=key, Body=content, **more)
        version, etag = answer.get("VersionId", "null"), answer["ETag"].strip('"')
        return FileVersion(bucket, key, version, etag, len(content), clock.to_iso(clock.now()))

    def arrive(self, *files: FileVersion, feed: Feed | None = None) -> list[Row[FileRecord]]:
        """Write files to the ledger; return their keys."""
        feed, ledger = feed or feed_of(), self.prepared
        for file in files:
            file_time = feed.file_time(file.key, clock.parse_utc(file.last_modified))
            assert ledger.add(file_moves.arrive(file, feed.name, file_time, clock.now()))
        return [FileRecord.at(file) for file in files]

    def state(self, key: Row[FileRecord]) -> str:
        item = self.ledger.get(key)
        assert item is not None
        return str(item.state)

    def queue(self, feed: Feed) -> str:
        """Make a feed's queue, and the rule that brings S3's events to it; return the queue's URL."""
        name = f"{self.name}-{feed.name}"
        sqs, events = self.spared("sqs"), self.spared("events")
        url = sqs.create_queue(QueueName=name, Attributes=render(DOCUMENTS, "queue")["queue"])["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        pattern = render(DOCUMENTS, "event-pattern", bucket=self.new_files, prefix=feed.prefix)
        events.put_rule(Name=name, EventPattern=json.dumps(pattern), State="ENABLED")
        events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        return str(url)

    def job_definition(self, script: str, attempts: int = 1, timeout: int = 60) -> str:
        """Register a job that runs a shell script; return its name."""
        container = {
            "image": "filebatch-worker:local",
            "command": ["/bin/sh", "-c", script],
            "jobRoleArn": "arn:aws:iam::123456789012:role/job",
            "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
            "resourceRequirements": [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}],
        }
        name = f"{self.name}-{uuid.uuid4().hex[:6]}"
        self.spared("batch").register_job_definition(
            jobDefinitionName=name,
            type="container",
            platformCapabilities=["FARGATE"],
            containerProperties=container,
            retryStrategy={"attempts": attempts},
            timeout={"attemptDurationSeconds": timeout},
        )
        return name

    def run_job(self, name: str, script: str, size: int = 1) -> dict[str, Any]:
        """Submit a job and wait for its end; return its description."""
        batch = self.spared("batch")
        request = {"jobName": name, "jobQueue": self.server.settings["job_queue"], "shareIdentifier": "tests"}
        array = {"arrayProperties": {"size": size}} if size > 1 else {}
        job_id = batch.submit_job(**request, **array, jobDefinition=self.job_definition(script))["jobId"]
        return until(lambda: ended(batch, job_id))

    def _bucket(self, purpose: str, *, versioned: bool) -> str:
        s3, name = self.spared("s3"), f"{self.name}-{purpose}"
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        if versioned:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        return name


def ended(batch: Any, job_id: str) -> dict[str, Any] | None:
    """Return a job's description once it is known and has ended."""
    found = batch.describe_jobs(jobs=[job_id])["jobs"]
    return next((job for job in found if job["status"] in ("SUCCEEDED", "FAILED")), None)


@cache
def connector(endpoint: str, key: str, who: str = access.DEVELOPER) -> Callable[[str], Any]:
    """Return a function that makes a service's client, once."""
    session = boto3.Session(*access.credentials(key, who).values(), region_name=REGION)
    path_style = {"addressing_style": "path"}
    attempts = {"mode": "standard", "total_max_attempts": 6 if mean.IS_ON else 2}
    config = Config(retries=attempts, s3=path_style, max_pool_connections=20, inject_host_prefix=False)
    return cache(lambda service: session.client(service, endpoint_url=emulators.of(service) or endpoint, config=config))


def recorded(client: Any, operation: str) -> "contextmanager[Any]":
    """Record the parameters of a client's calls of an operation (`s3.PutObject`) while the block runs."""
    if not hasattr(client, "meta"):
        return recorded_in_memory(client, operation)

    @contextmanager
    def recording() -> Iterator[list[dict[str, Any]]]:
        calls: list[dict[str, Any]] = []

        def record(params: dict[str, Any], **_: Any) -> None:
            calls.append(dict(params))

        event = f"provide-client-params.{operation}"
        client.meta.events.register(event, record)
        try:
            yield calls
        finally:
            client.meta.events.unregister(event, record)

    return recording()


@contextmanager
def recorded_in_memory(client: Any, operation: str) -> Iterator[list[dict[str, Any]]]:
    calls: list[dict[str, Any]] = []
    name = xform_name(operation.split(".")[1])
    real = getattr(client, name)

    def recording(**params: Any) -> Any:
        calls.append(dict(params))
        return real(**params)

    setattr(client, name, recording)
    try:
        yield calls
    finally:
        delattr(client, name)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs on; one that has ended and waits for its parent to ask doesn't."""
    try:
        return Process.of(pid).is_alive()
    except psutil.NoSuchProcess:
        return False
