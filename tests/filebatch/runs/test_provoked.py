"""Every row of failures.json, provoked on the local AWS: real jobs of the real job definition, real workers.

Each is seen where people look for it (the task's message, the ledger, the metrics, the notification), and is tried
again by whom the table says, and by no one else: Batch's attempts are counted, and so are jobs.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from aws import ROOT, connector, ended, recorded, until
from claims import sum_of
from filebatch.core import failures
from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.feeds import settings
from filebatch.feeds.feed import Feed, load_feed
from filebatch.feeds.selection import Origin, Selection
from filebatch.runs import announcing, asking, jobs, processing
from filebatch.runs.context import FeedContext
from filebatch.runs.run import Run
from filebatch.runs.settling import Settled
from filebatch_local.base.layout import WORKER_IMAGE, Layout
from filebatch_local.batch.images import ImageEnv, of_repository
from filebatch_local.serve.background import LocalAws, local_aws

CLOCK = 60  # the shortest timeout of an attempt takes a second, a queue's shortest time limit ten
ATTEMPTS = 3  # that Batch makes where it may
TOO_LARGE = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
NARROW = "narrow"  # a queue with one vCPU
TOO_WIDE = {"vcpu": 2, "memory": 4096}

Act = Callable[["Provoked"], None]


@dataclass
class Provoked:
    """A file, the job that was submitted for it, and what became of both."""

    aws: LocalAws
    ctx: FeedContext
    run: Run
    job_id: str = ""

    @property
    def record(self) -> RunRecord:
        return processing.record_of(self.ctx, self.run.run_id, self.run.hash)

    @property
    def file(self) -> FileRecord:
        (found,) = [each for each in self.ctx.ledger.scan() if isinstance(each, FileRecord) and self.is_own(each)]
        return found

    def is_own(self, file: FileRecord) -> bool:
        return file.feed == self.ctx.feed.name

    def job(self) -> dict[str, Any]:
        return dict(self.ctx.batch.describe_jobs(jobs=[self.job_id])["jobs"][0])

    def submit(self) -> None:
        _, job_id = processing.next_job(self.ctx, self.record)
        assert job_id
        self.job_id = job_id

    def at_work(self, attempt: int = 1) -> None:
        wanted = (self.job_id, attempt)
        until(lambda: wanted in [(one["jobId"], one["attempt"]) for one in self.aws.jobs()], 60)

    def settled(self) -> Settled:
        until(lambda: ended(self.ctx.batch, self.job_id) if jobs.describe(self.ctx.batch, self.job_id) else True, 120)
        return processing.settle(self.ctx, self.record, self.job_id)


def leave(_: Provoked) -> None:
    """Nothing more is needed."""


def reclaimed(words: str) -> Act:
    """Take the machine of each of Batch's attempts away."""

    def act(each: Provoked) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            each.at_work(attempt)
            each.aws.lose_host(each.job_id, words)

    return act


def by_somebody(reason: str) -> Act:
    def act(each: Provoked) -> None:
        if each.ctx.settings.job_queue != NARROW:
            each.at_work()
        each.ctx.batch.terminate_job(jobId=each.job_id, reason=reason)

    return act


def vanish(each: Provoked) -> None:
    each.at_work()
    each.aws.vanish(each.job_id)


@dataclass(frozen=True)
class Way:
    """One way to a failure: what the file says, what of the feed is special, what is done to the job, and who retries.

    `attempts` are Batch's, None where nobody knows them any more.
    """

    code: str
    says: str
    act: Act = leave
    feed: Mapping[str, Any] = field(default_factory=dict)
    queue: str | None = None
    attempts: int | None = 1
    words: str = ""
    state: FileState = FileState.FAILED


WAYS = {
    "invalid": Way("invalid", "invalid", state=FileState.INVALID, words="truncated"),
    "bug": Way("bug", "raise", words="ValueError"),
    "exit": Way("bug", "exit 3", words="exit code 3"),
    "transient": Way("transient", "transient", attempts=ATTEMPTS, words="TransientError"),
    "configuration": Way("configuration", "configuration", words="ConfigurationError"),
    "other-contract": Way("configuration", "x", feed={"image": "newer:1"}, words="contract"),
    "disk-full": Way("disk_full", "fill", words="No space left on device"),
    "memory": Way("out_of_memory", "take 1200", words="OutOfMemoryError: Container killed due to memory usage"),
    "spot": Way(
        "spot_reclaim",
        "sleep 60",
        reclaimed("Your Spot Task was interrupted."),
        attempts=ATTEMPTS,
        words="Your Spot Task was interrupted.",
    ),
    "host": Way(
        "spot_reclaim",
        "sleep 60",
        reclaimed("Host EC2 (instance i-0123456789abcdef0) terminated."),
        attempts=ATTEMPTS,
        words="Host EC2 (instance i-0123456789abcdef0) terminated.",
    ),
    "image": Way("image_pull", "x", feed={"image": "nowhere:1"}, attempts=ATTEMPTS, words="CannotPullContainerError"),
    "no-start": Way(
        "not_started", "x", feed={"image": "empty:1"}, attempts=ATTEMPTS, words="CannotStartContainerError"
    ),
    "time": Way("timeout", "sleep 60", feed={"timeout": 60}, words="Job attempt duration exceeded timeout"),
    "head": Way("unschedulable", "x", feed=TOO_WIDE, queue=NARROW, attempts=0, words=TOO_LARGE),
    "behind": Way("unschedulable", "x", feed=TOO_WIDE, queue=NARROW, attempts=0, words=TOO_LARGE),
    "somebody": Way("terminated", "sleep 60", by_somebody(jobs.TASK_ENDED), words=jobs.TASK_ENDED),
    "killed": Way("killed", "killed", attempts=ATTEMPTS, words="exit code 137"),
    "other-words": Way(
        "unknown",
        "x",
        by_somebody("the queue is wanted"),
        feed=TOO_WIDE,
        queue=NARROW,
        attempts=0,
        words="the queue is wanted",
    ),
    "vanished": Way("vanished", "sleep 60", vanish, attempts=None),
}
LEAST = {"processor": "acts:process", "start": "2020-01-01", "vcpu": 0.25, "memory": 512, "fail_run_on": "invalid"}


def test_every_row_of_the_table_is_provoked() -> None:
    assert {way.code for way in WAYS.values()} == failures.document()["failures"].keys()


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("feeds")
    for name, way in WAYS.items():
        document = {**LEAST, "prefix": f"{name}/", **way.feed}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, feeds: Path) -> Iterator[LocalAws]:
    with local_aws(clock=CLOCK, images=images(tmp_path_factory.mktemp("images")), feeds_dir=feeds) as aws:
        narrow(aws)
        yield aws


def images(folder: Path) -> dict[str, ImageEnv]:
    """Return the worker's image with these tests' processors, one of another contract version, one without Python."""
    worker = of_repository(Layout.here())[WORKER_IMAGE]
    acts = str(ROOT / "tests" / "processors")
    newer = folder / "newer"
    shutil.copytree(ROOT / "plugins" / "filebatch" / "core", newer / "filebatch" / "core")
    (newer / "filebatch" / "__init__.py").touch()
    contract = newer / "filebatch" / "core" / "contract.py"
    written = contract.read_text(encoding="utf-8")
    assert "\nVERSION = 1 " in written
    contract.write_text(written.replace("\nVERSION = 1 ", "\nVERSION = 3 "), encoding="utf-8")
    return {
        WORKER_IMAGE: ImageEnv(worker.path, {"PYTHONPATH": f"{worker.env['PYTHONPATH']}:{acts}"}),
        "newer:1": ImageEnv(worker.path, {"PYTHONPATH": f"{ROOT / 'worker'}:{newer}:{acts}"}),
        "empty:1": ImageEnv((str(folder),)),
    }


def narrow(aws: LocalAws) -> None:
    """Make a queue of too few vCPUs for some feeds, which gives up on what stands at its head for long."""
    batch = aws.client("batch")
    [shared] = batch.describe_compute_environments(computeEnvironments=["filebatch-local-compute"])[
        "computeEnvironments"
    ]
    batch.create_compute_environment(
        computeEnvironmentName=NARROW,
        type="MANAGED",
        serviceRole=shared["serviceRole"],
        computeResources={**shared["computeResources"], "maxvCpus": 1},
    )
    queue = batch.describe_job_queues(jobQueues=[aws.settings["job_queue"]])["jobQueues"][0]
    batch.create_job_queue(
        jobQueueName=NARROW,
        state="ENABLED",
        priority=1,
        schedulingPolicyArn=queue["schedulingPolicyArn"],
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": NARROW}],
        jobStateTimeLimitActions=[
            {"reason": TOO_LARGE, "state": "RUNNABLE", "maxTimeSeconds": 600, "action": "CANCEL"}
        ],
    )


def begun(here: LocalAws, feed: Feed, way: Way) -> Provoked:
    """Drop a file, claim it, and submit its job, as a run does."""
    name, values = feed.name, settings.parse(here.settings)
    ctx = FeedContext(
        feed, replace(values, job_queue=way.queue or values.job_queue), connector(here.endpoint, here.key)
    )
    ctx.s3.put_object(Bucket=values.new_files, Key=f"{name}/a.txt", Body=way.says.encode())
    run = Run(f"manual__{name}", jobs.run_hash(name, name), 0, Origin("manual", None, datetime.now(UTC)), {})
    claimed = asking.claim(ctx, run, Selection(), lambda _run_id: False)
    assert getattr(claimed, "files", 0) == 1, claimed
    found = Provoked(here, ctx, run)
    found.submit()
    return found


@pytest.fixture(scope="module")
def provoked(here: LocalAws, feeds: Path) -> dict[str, Provoked]:
    """Have each way gone, side by side."""
    found = {name: begun(here, load_feed(feeds / f"{name}.yaml"), way) for name, way in WAYS.items()}
    for name, way in WAYS.items():
        way.act(found[name])
    return found


@pytest.mark.parametrize("name", WAYS)
def test_a_failure_is_told_everywhere_and_tried_again_by_whom_the_table_says(
    provoked: dict[str, Provoked], name: str
) -> None:
    way, each = WAYS[name], provoked[name]
    row = failures.failure(way.code)

    settled = each.settled()

    file = each.file
    code = "truncated" if way.code == "invalid" else way.code
    assert (file.state, file.reason.code, file.attempts) == (way.state, code, 1)
    assert way.words in file.reason.message or way.state is FileState.INVALID
    assert row.meaning in file.reason.message or way.act is leave
    complaint = processing.complaint(each.ctx, each.record, settled)
    assert f"{name}/a.txt" in complaint
    assert f"{code}: " in complaint
    assert code in notified(each)
    metric = "ProcessingInvalid" if way.state is FileState.INVALID else "ProcessingFailed"
    assert sum_of(each.ctx.cloudwatch, each.ctx.settings.namespace, metric, each.ctx.feed.name) == 1
    assert tried_by_batch(each) == way.attempts
    assert bool(file.due_at) is row.retry
    assert len(jobs_of(each)) == (0 if way.attempts is None else 1)


def notified(each: Provoked) -> str:
    """Return what the run's notification says."""
    with recorded(each.ctx.sns, "sns.Publish") as published:
        announcing.announce(each.ctx, each.run.hash)
    (told,) = {each["Message"] for each in published}
    return str(told)


def tried_by_batch(each: Provoked) -> int | None:
    """Return how many attempts Batch made at the job; None where it knows the job no more."""
    found = jobs.describe(each.ctx.batch, each.job_id)
    return None if found is None else len(found["attempts"])


def jobs_of(each: Provoked) -> list[str]:
    filters = [{"name": "JOB_NAME", "values": [f"{each.ctx.feed.name}-*"]}]
    listed = each.ctx.batch.list_jobs(jobQueue=each.ctx.settings.job_queue, filters=filters)
    return [job["jobId"] for job in listed["jobSummaryList"]]


def test_what_waits_behind_the_head_of_the_queue_is_given_up_after_it(provoked: dict[str, Provoked]) -> None:
    head, behind = provoked["head"].job(), provoked["behind"].job()
    assert behind["stoppedAt"] > head["stoppedAt"]


def test_out_of_memory_twice_gets_twice_the_memory_each_time_and_succeeds_with_the_most_there_is(
    provoked: dict[str, Provoked],
) -> None:
    """512 and 1,024 MiB weren't enough; 2,048 are the most that Fargate has with a quarter of a vCPU."""
    each = provoked["memory"]
    assert each.file.memory == 1024
    for memory, state in ((1024, FileState.FAILED), (2048, FileState.SUCCEEDED)):
        each.submit()
        assert {"type": "MEMORY", "value": str(memory)} in each.job()["container"]["resourceRequirements"]
        each.settled()
        assert each.file.state is state
    assert each.file.attempts == 3
    assert each.ctx.feed.larger_memory(4096) == 2048
