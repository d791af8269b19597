"""The tasks' bodies and triggers, played as `filebatch.operators`, `sensors` and `triggers` have them.

They stand on the same plain modules; tests/dags/test_simulated.py holds the numbers to theirs.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from filebatch.core import run_moves
from filebatch.core.errors import ConfigurationError, SelectionError
from filebatch.core.records import FileState, RunRecord
from filebatch.queries import health
from filebatch.runs import announcing, asking, jobs, processing, selecting
from filebatch.runs.answers import Held, Nothing
from filebatch.runs.context import FeedContext
from filebatch.runs.run import Run
from simulation.dag_run import DagRun, Deferred, Fail, OtherRunsHoldThem, Skip
from simulation.faults import EXPECTED

if TYPE_CHECKING:
    from simulation.world import World

VANISHED_AFTER, HEARTBEAT_EVERY = 180.0, 60.0


class Tasks:
    """What each task does."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.bodies: Mapping[str, Callable[[FeedContext, DagRun], None]] = {
            "wait_for_files": self._wait_for_files,
            "claim_files": self._claim_files,
            "process_files": self._process_files,
            "publish_metrics": self._publish_metrics,
            "notify": self._notify,
        }

    def _run(self, ctx: FeedContext, run: DagRun) -> Run:
        return run.run(ctx.feed.name)

    def _wait_for_files(self, ctx: FeedContext, run: DagRun) -> None:
        selection = self._selection(ctx, run)
        if selection.everything:
            return
        for key in selection.keys:
            if not selecting.listing.look(ctx.s3, ctx.settings.new_files, ctx.feed, ctx.ledger, selection).files:
                raise Fail(f"not in the bucket: {key}")
        deadline = self.world.scheduler.seconds + 6 * 3600
        while not selection.keys and selecting.holders(ctx, selection):
            if self.world.scheduler.seconds > deadline:
                raise Fail("files of the window are held by other runs")
            self.world.scheduler.wait(15.0)

    def _selection(self, ctx: FeedContext, run: DagRun) -> Any:
        try:
            return self._run(ctx, run).selection(ctx.feed, ctx.settings.new_files)
        except SelectionError as error:
            raise Fail(str(error)) from error

    def _claim_files(self, ctx: FeedContext, run: DagRun) -> None:
        selection = self._selection(ctx, run)
        self.world.checks.asks(run, selection)
        try:
            found = asking.claim(ctx, self._run(ctx, run), selection, self.world.airflow.is_over)
        except (SelectionError, ConfigurationError) as error:
            raise Fail(str(error)) from error
        match found:
            case Held(why):
                raise OtherRunsHoldThem(why)
            case Nothing(why):
                if not selection.keys:
                    self.world.checks.claimed(run)  # it is green, and so has to be true
                raise (Fail if selection.keys else Skip)(why)
        self.world.checks.claimed(run)

    def _process_files(self, ctx: FeedContext, run: DagRun) -> None:
        try:
            record, job_id = processing.next_job(ctx, self._record(ctx, run))
        except ConfigurationError as error:
            raise Fail(str(error)) from error
        if job_id is None:
            self._settle(ctx, record, record.job)
        else:
            self._wait(ctx, record, job_id)

    def _record(self, ctx: FeedContext, run: DagRun) -> RunRecord:
        found = self._run(ctx, run)
        return processing.record_of(ctx, found.run_id, found.hash)

    def _wait(self, ctx: FeedContext, record: RunRecord, job_id: str) -> None:
        job = jobs.describe(ctx.batch, job_id)
        if job is not None and job["status"] in jobs.TERMINAL:
            raise Deferred(lambda: None, lambda ctx, run: self._job_ended(ctx, run, job_id))
        raise Deferred(
            lambda: self._wait_for_job(record.token, job_id), lambda ctx, run: self._job_ended(ctx, run, job_id)
        )

    def _job_ended(self, ctx: FeedContext, run: DagRun, job_id: str) -> None:
        record = self._record(ctx, run)
        if record.fence and record.fence != job_id:
            self._wait(ctx, record, record.fence)
        self._settle(ctx, record, job_id)

    def _settle(self, ctx: FeedContext, record: RunRecord, job_id: str | None) -> None:
        settled = processing.settle(ctx, record, job_id)
        if complaint := processing.complaint(ctx, record, settled):
            raise Fail(complaint)

    def _wait_for_job(self, claim: str, job_id: str) -> None:
        """Do as RoundJobTrigger does."""
        wait, seconds = self.world.scheduler.wait, lambda: self.world.scheduler.seconds
        began = known = seconds()
        heard = float("-inf")
        while True:
            ctx = self.world.context()
            try:
                job = jobs.describe(ctx.batch, job_id)
                known = seconds() if job else known
                if (job and job["status"] in jobs.TERMINAL) or seconds() - known > VANISHED_AFTER:
                    return
                if seconds() - heard > HEARTBEAT_EVERY:
                    timeout = timedelta(seconds=ctx.settings.heartbeat_seconds)
                    move = run_moves.heartbeat(ctx.feed.name, claim, timeout=timeout, now=ctx.now())
                    ctx.ledger.try_move(move)
                    heard = seconds()
            except EXPECTED as error:
                known = seconds()
                self.world.trace.tell(f"polling {job_id} failed: {type(error).__name__}")
            wait(min(30.0, max(2.0, (seconds() - began) / 20)))

    def _publish_metrics(self, ctx: FeedContext, run: DagRun) -> None:
        record = ctx.ledger.latest_run(ctx.feed.name, self._run(ctx, run).hash)
        data = [*health.of_run(ctx.feed.name, record), *health.of_feed(ctx)]
        try:
            ctx.cloudwatch.put_metric_data(Namespace=ctx.settings.namespace, MetricData=data)
        except EXPECTED as error:
            raise Fail(str(error)) from error

    def _notify(self, ctx: FeedContext, run: DagRun) -> None:
        told = announcing.announce(ctx, self._run(ctx, run).hash)
        run.told = told
        for summary in (each.summary for each in told):
            if summary.counts.get(FileState.SUCCEEDED, 0):
                run.events.append({"run_id": summary.run_id, "manifest": summary.manifest})
        if not told:
            raise Skip("nothing to announce")
