"""A claim with real files, and what its workers may have done of it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from aws import Place, feed_of
from filebatch.core import clock, file_moves, paths, round_file, run_moves
from filebatch.core.contract import Output, Reason, Result, Unit, Work
from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.core.run_moves import Asked
from filebatch.feeds.feed import Feed
from filebatch.runs import claiming, processing, rounds
from filebatch.runs.context import FeedContext
from filebatch.runs.plans import TAKE, Planned
from filebatch_worker.commit import commit

RUN_ID = "manual__2026-01-02"
OTHER = "fedcba9876543210-0001"
WRONG = Reason("truncated", "ends within line 3", {"line": 3})


class Held:
    """A claim of some files: its context, files and owner record."""

    def __init__(
        self,
        place: Place,
        files: int | Sequence[bytes] | Mapping[str, bytes],
        feed: Feed | None = None,
        token: str | None = None,
        bucket: str | None = None,
        **put: str,
    ) -> None:
        # Jobs are found by name in a queue that tests share: no two of them claim with the same token.
        self.place, self.token = place, token or f"{uuid.uuid4().hex[:16]}-0001"
        self.ctx: FeedContext = place.ctx(feed or feed_of())
        if isinstance(files, int):
            files = [b"a,b\n1,2\n"] * files
        if not isinstance(files, Mapping):
            files = {f"{n}.csv": content for n, content in enumerate(files)}
        prefix = f"{self.ctx.feed.prefix}{self.token[:4]}"
        self.files = [place.put(f"{prefix}-{name}", content, bucket, **put) for name, content in files.items()]
        self.keys = place.arrive(*self.files, feed=self.ctx.feed)
        self.open()
        self.claim = claiming.make_claim(self.ctx, self.record, [Planned(key, TAKE, 1) for key in self.keys])

    def open(self) -> None:
        asked, timeout = Asked(RUN_ID, 1, 0, "all that waits"), self.ctx.settings.heartbeat_timeout
        record = run_moves.begin(self.ctx.feed.name, self.token, asked, timeout=timeout, now=clock.now())
        assert self.place.prepared.add(record)

    @property
    def record(self) -> RunRecord:
        found = self.ctx.ledger.get(RunRecord.at(self.ctx.feed.name, self.token))
        assert found is not None
        return found

    def item(self, number: int = 0) -> FileRecord:
        found = self.ctx.ledger.get(self.keys[number])
        assert found is not None
        return found

    def now_in(self) -> list[str]:
        return [self.item(number).state for number in range(len(self.keys))]

    def units(self, number: int = 1) -> list[Unit]:
        key = paths.round_units(self.ctx.feed.name, self.token, number)
        body = self.ctx.s3.get_object(Bucket=self.ctx.results, Key=key)["Body"].read()
        return round_file.decode(body)

    def result(self, number: int = 0, state: str = FileState.SUCCEEDED, **fields: Any) -> Result:
        """Return a result as a worker of this claim would write it."""
        work: Work = self.item(number).work
        prefix = paths.of_generation(paths.RESULTS, self.ctx.feed.name, work)
        done = state == FileState.SUCCEEDED
        result = Result(
            feed=self.ctx.feed.name,
            state=state,
            work=work,
            claim=self.token,
            run_id=RUN_ID,
            job_id="job",
            outputs=(Output("data.parquet", f"{prefix}job-1/data.parquet", 3, "a" * 64, 7),) if done else (),
            rows=7 if done else None,
            reason=None if done else WRONG,
            quarantine=None,
            notes={},
            timings={"fetch": 0.5, "process": 1.0, "upload": 0.5},
            used={"vcpu_seconds": 1.0, "gib_seconds": 2.0},
            worker="0.1.0",
            started_at=clock.to_iso(clock.now()),
            committed_at=clock.to_iso(clock.now()),
        )
        return replace(result, **fields)

    def commit(self, number: int = 0, state: str = FileState.SUCCEEDED) -> Result:
        """Commit a file and die before the ledger hears of it."""
        return commit(self.ctx.s3, self.ctx.results, self.ctx.ledger, self.result(number, state))

    def finish(self, number: int = 0, state: str = FileState.SUCCEEDED) -> Result:
        """Commit a file and tell the ledger."""
        result = self.commit(number, state)
        move = file_moves.finish(self.keys[number], self.token, result, "s3://r/_result.json", clock.now())
        assert self.ctx.ledger.try_move(move).done
        return result

    def fence(self, job_id: str = "job") -> None:
        """Begin with the round's files, as a job's first worker does; another job's is refused."""
        self.ctx.ledger.try_move(run_moves.fence(self.ctx.feed.name, self.token, self.record.round, job_id))

    def job(self, script: str, *, begun: bool = True) -> dict[str, Any]:
        """Run the round's job, a shell script, to its end, as if workers had `begun`; return its description."""
        record = self.record
        job = self.place.run_job(record.job_name, script, size=record.units)
        self.ctx.ledger.try_move(run_moves.submitted(record, job["jobId"]))  # refused where a worker was first
        if begun:
            self.fence(job["jobId"])
        return job

    def another_round(self) -> None:
        """Take what failed again, as the same claim's next round."""
        record = rounds.begin(self.ctx, self.record)
        rounds.write(self.ctx, record, processing.claim_for_round(self.ctx, record))


def run_of(token: str) -> str:
    """Return the run's hash that a token begins with."""
    return token.rsplit("-", 1)[0]


def counted(place: Place, feed: str = "orders") -> dict[str, float]:
    """Read back from CloudWatch how many files of each state were counted."""
    names = ("ProcessingSucceeded", "ProcessingInvalid", "ProcessingFailed")
    found = {name: summed(place, name, feed) for name in names}
    return {name.removeprefix("Processing"): number for name, number in found.items() if number}


def summed(place: Place, name: str, feed: str = "orders") -> float:
    """Return the sum of a metric's data of the last hours, in a place's namespace."""
    return sum_of(place.connect("cloudwatch"), place.name, name, feed)


def sum_of(cloudwatch: Any, namespace: str, name: str, feed: str) -> float:
    """Return the sum of a metric's data of the last hours."""
    now = clock.now()
    points = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": "Feed", "Value": feed}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))
