"""The simulated world: AWS, a feed in it, and all who act there; `run` lets it go on until it has come to rest."""

import json
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any
from unittest.mock import patch

import filebatch_worker.__main__ as worker
from filebatch.core import clock, outcomes, publishing
from filebatch.core.ledger import Ledger
from filebatch.feeds.feed import Feed
from filebatch.feeds.settings import Settings
from filebatch.intake import arrivals
from filebatch.runs.context import FeedContext
from filebatch_worker import ahead, trouble
from filebatch_worker import aws as worker_aws
from filebatch_worker import commit as worker_commit
from filebatch_worker import file as worker_file
from filebatch_worker import flow as worker_flow
from ledger_table import definition
from simulation.airflow import Airflow
from simulation.calls import Calls, Client
from simulation.checks import Checks
from simulation.containers import Containers
from simulation.doorbell import Doorbell
from simulation.people import People
from simulation.plan import Plan
from simulation.scheduler import Scheduler
from simulation.services import Aws
from simulation.threads import Pool
from simulation.trace import Trace

NEW_FILES, RESULTS, TABLE, QUEUE = "new-files", "results", "ledger", "jobs"
FEED = "orders"
PREFIX = "orders/"
CALM = 24 * 3600.0  # seconds within which everything has to settle once nothing goes wrong any more
GOES_ON = 4 * 3600.0  # seconds after which all is settled but what can't be
LOOK = 300.0  # seconds between looks at whether it has


@dataclass
class World:
    """One simulation."""

    plan: Plan
    scheduler: Scheduler = field(init=False)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(str(self.plan.seed))
        self.trace = Trace(lambda: self.scheduler.seconds)
        self.calls = Calls(self.scheduler, self.trace)
        self.aws = Aws(self.scheduler.now)
        self.clients = {
            name: Client(name, self.aws.client(name), self.calls)
            for name in ("s3", "dynamodb", "sqs", "sns", "batch", "cloudwatch")
        }
        self.random = random.Random(f"world {self.plan.seed}")
        self.feed = feed_of(self.plan, FEED)
        self.present = True
        self.sns_forbidden = False
        self.settings = self._provision()
        self.checks = Checks(self)
        self.containers = Containers(self)
        self.airflow = Airflow(self)
        self.doorbell = Doorbell(self)
        self.people = People(self)

    def mishap(self, name: str) -> bool:
        """Tell whether something goes wrong now, beside requests."""
        rate = self.plan.mishaps.get(name, 0.0)
        return bool(rate) and not self.is_calm and self.random.random() < rate

    def have_feed(self, name: str) -> None:
        """Have the feed be there under a name, with its queue and its job definition; its files are the same."""
        self.trace.tell(f"the feed is {name} from now on")
        self.feed, self.present = feed_of(self.plan, name), True
        self._provide()
        self.containers.define(self.feed)

    def remove_feed(self) -> None:
        """Have the feed's file be deleted: its DAG, its runs and its queue go."""
        self.trace.tell(f"the feed {self.feed.name} is removed")
        self.present = False
        self.airflow.forget()
        self.aws.events.put_targets(Rule="rule", Targets=[])
        self.aws.sqs.delete_queue(QueueUrl=self.settings.queue(self.feed.name))

    @property
    def is_calm(self) -> bool:
        return self.scheduler.seconds >= self.plan.chaos

    def context(self) -> FeedContext:
        """Return a feed's context as a process of Airflow's would have it."""
        ctx = FeedContext(self.feed, self.settings, self.clients.__getitem__, self.scheduler.now, self.side_by_side)
        vars(ctx)["ledger"] = self.ledger(self.clients["dynamodb"], TABLE)
        return ctx

    def ledger(self, client: Any, table: str) -> Ledger:
        return Ledger(client, table, self.side_by_side, self.scheduler.wait)

    def side_by_side(self, function: Callable[[Any], Any], items: Any) -> list[Any]:
        """Call for each item, in any order; after an exception the others may have been done or not."""
        values = list(items)
        me = self.scheduler.current
        assert me is not None
        order = list(range(len(values)))
        me.random.shuffle(order)
        found: dict[int, Any] = {}
        failed: dict[int, Exception] = {}
        for place in order:
            try:
                found[place] = function(values[place])
            except Exception as error:
                failed[place] = error
                if me.random.random() < 0.5:
                    break
        if failed:
            raise failed[min(failed)]
        return [found[place] for place in range(len(values))]

    def run(self) -> None:
        """Let everything happen, then let the world calm down and come to rest.

        Raises:
            Finding: something was found that must not be.
        """
        with simulated(self):
            try:
                self._begin()
                self.scheduler.run(self.plan.chaos)
                self._calm_down()
                if self.people.spoilt:
                    self.scheduler.run(self.plan.chaos + GOES_ON)
                    self.checks.all_but(self.people.spoilt)
                    self.people.restore()
                    self.checks.moved_at = self.scheduler.seconds
                end = self.plan.chaos + CALM
                while self.scheduler.seconds < end and not (self.checks.is_at_rest() or self.checks.is_still()):
                    self.scheduler.run(self.scheduler.seconds + LOOK)
                self.checks.at_the_end()
            finally:
                self.scheduler.end()

    def _begin(self) -> None:
        self.calls.rates, self.calls.hot = dict(self.plan.faults), self.plan.hot
        self.calls.stall, self.calls.victims = self.plan.mishaps.get("stall", 0.0) / 20, self.plan.victims
        self.calls.stood_still = self.airflow.unheard
        self.airflow.begin()
        self.doorbell.begin()
        self.people.begin()

    def _calm_down(self) -> None:
        self.calls.rates, self.calls.stall = {}, 0.0
        self.trace.tell("the world calms down: from now on nothing goes wrong")
        self.airflow.unpause()
        self.sns_forbidden = False
        if not self.present:
            self.have_feed(self.feed.name)

    def _provision(self) -> Settings:
        s3, events, sqs = self.aws.s3, self.aws.events, self.aws.sqs
        self.aws.sns.forbidden = lambda: self.sns_forbidden
        for bucket in (NEW_FILES, RESULTS):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.buckets[NEW_FILES].events = True
        self.aws.dynamodb.create_table(**definition(TABLE))
        topics = {name: self.aws.sns.create_topic(Name=name)["TopicArn"] for name in ("stakeholders", "developers")}
        self.aws.batch.create_job_queue(QUEUE)
        settings = Settings(
            region="eu-west-1",
            environment="sim",
            buckets={"new_files": NEW_FILES, "results": RESULTS},
            queue_prefix=self.aws.sqs.url("sim-"),
            topics=topics,  # type: ignore[arg-type]
            ledger=TABLE,
            job_queue=QUEUE,
            job_definition_prefix="sim-",
            namespace="sim",
            heartbeat_seconds=self.plan.heartbeat,
        )
        sqs.create_queue(QueueName="sim-dead")
        pattern = {"detail": {"bucket": {"name": [NEW_FILES]}, "object": {"key": [{"prefix": PREFIX}]}}}
        events.put_rule(Name="rule", EventPattern=json.dumps(pattern), State="ENABLED")
        self._provide()
        events.copies = self._copies
        sqs.shuffle = self.random.shuffle
        self.aws.dynamodb.lag = lambda: timedelta(seconds=self.random.uniform(1, 60) if self.mishap("index lag") else 0)
        self.aws.dynamodb.left_out = lambda keys: self.random.randrange(keys) if self.mishap("left out") else 0
        self.aws.batch.unlisted = lambda: timedelta(
            seconds=self.random.uniform(1, 60) if self.mishap("unlisted") else 0
        )
        return settings

    def _provide(self) -> None:
        """Make what a feed has of its own: its queue."""
        policy = {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:1:sim-dead", "maxReceiveCount": 5}
        attributes = {"VisibilityTimeout": "60", "RedrivePolicy": json.dumps(policy)}
        name = f"sim-{self.feed.name}"
        self.aws.sqs.create_queue(QueueName=name, Attributes=attributes)
        self.aws.events.put_targets(Rule="rule", Targets=[{"Arn": f"arn:aws:sqs:eu-west-1:1:{name}"}])

    def _copies(self) -> list[float]:
        if self.mishap("event lost"):
            return []
        first = self.random.uniform(60, 3600) if self.mishap("event late") else self.random.uniform(0.5, 3)
        return [first, first + self.random.uniform(0, 600)] if self.mishap("event twice") else [first]


@cache
def _feed(name: str, fields: str) -> Feed:
    return Feed.model_validate(json.loads(fields))


def feed_of(plan: Plan, name: str) -> Feed:
    fields = {
        "name": name,
        "prefix": PREFIX,
        "pattern": r"(?P<date>\d{4}-\d{2}-\d{2})/[^/]+\.csv|[^/]+\.csv",
        "start": "2026-01-01",
        "schedule": "0 * * * *",
        "processor": "simulation.processor:process",
        **plan.feed,
    }
    return _feed(name, json.dumps(fields))


class _Time:
    """What modules have for `time`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.monotonic, self.sleep = lambda: scheduler.seconds, scheduler.wait


@contextmanager
def simulated(world: World) -> Iterator[None]:
    """Have clocks, chance and threads of the code be the world's."""
    time, connect = _Time(world.scheduler), lambda: _worker_clients(world)
    pool = lambda *_, **__: Pool(world.scheduler)
    random.seed(world.plan.seed)
    logged = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # what is logged costs more time than all else
    with (
        patch.object(clock, "now", world.scheduler.now),
        patch.object(outcomes, "time", time),
        patch.object(publishing, "time", time),
        patch.object(worker, "in_background", lambda _seconds, _function: None),
        patch.object(arrivals, "time", time),
        patch.object(worker_flow, "time", time),
        patch.object(worker_file, "time", time),
        patch.object(worker_aws, "connect", connect),
        patch.object(worker, "Ledger", world.ledger),
        patch.object(ahead, "ThreadPoolExecutor", pool),
        patch.object(worker_flow, "ThreadPoolExecutor", pool),
        patch.object(worker_commit, "side_by_side", world.side_by_side),
        patch.object(worker_file, "side_by_side", world.side_by_side),
        patch.object(trouble, "Ledger", world.ledger),
    ):
        try:
            yield
        finally:
            logging.disable(logged)


def _worker_clients(world: World) -> Any:
    return worker_aws.Aws(*(world.clients[name] for name in ("s3", "dynamodb", "cloudwatch")))
