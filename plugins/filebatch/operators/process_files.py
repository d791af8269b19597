"""The task `process_files`: one array job for all files that a run claimed, and the truth about each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.amazon.aws.links.batch import BatchJobDefinitionLink, BatchJobDetailsLink, BatchJobQueueLink
from airflow.providers.amazon.aws.operators.batch import BatchOperator

from filebatch import run_notes
from filebatch.feeds.feed import Feed
from filebatch.operators.links import ContainerLogLink, FilesLink
from filebatch.run_context import AWS_CONN_ID, feed_context, run_of
from filebatch.task_log import Failed, plainly

# What a run does, and its trigger, is for its tasks: each step imports it, as parsing the DAG has no use for it.
if TYPE_CHECKING:
    from filebatch.core.records import RunRecord
    from filebatch.runs.context import FeedContext
    from filebatch.runs.settling import Settled


class ProcessFilesOperator(BatchOperator):
    """Submit the round's job, wait without a slot, then settle each file from ledger and results.

    Submitting is idempotent: a job of the round that exists is waited for. Done again after it was settled, failed
    files that have attempts left get another round, else it only tells what became of them. Links, templating and the
    connection are the stock operator's; its `execute` and `execute_complete` lose the job's id over a deferral.

    Raises:
        Failed: files failed beyond the feed's rule; it names them with the reason.
    """

    # Without the log link, which this operator doesn't fill: Airflow would log an error for it with every task.
    operator_extra_links = (  # type: ignore[assignment]
        FilesLink(),
        ContainerLogLink(),
        BatchJobDetailsLink(),
        BatchJobDefinitionLink(),
        BatchJobQueueLink(),
    )
    container_log: str | None = None

    def __init__(self, *, feed: Feed, aws_conn_id: str | None = AWS_CONN_ID, **kwargs: Any) -> None:
        super().__init__(
            job_name=feed.name,
            job_queue="{{ var.json.filebatch.job_queue }}",
            job_definition="{{ var.json.filebatch.job_definition_prefix }}" + feed.name,
            aws_conn_id=aws_conn_id,
            deferrable=True,
            **kwargs,
        )
        self.feed = feed

    @plainly
    def execute(self, context: Any) -> str | None:
        """Submit or find the round's job; return its id, and leave `counts` of files by state as XCom."""
        from filebatch.runs import processing

        ctx = feed_context(self.feed, self.aws_conn_id)
        record, job_id = processing.next_job(ctx, self._record(ctx, context))
        if job_id is None:
            return self._settle(ctx, context, record, record.job)
        return self._wait(ctx, context, record, job_id)

    @plainly
    def execute_complete(self, context: Any, event: Mapping[str, Any] | None = None) -> str | None:  # type: ignore[override]
        """Settle after the trigger has fired; without an event the job is looked for again."""
        if event is None:
            return self.execute(context)
        return self._ended(feed_context(self.feed, self.aws_conn_id), context, event["job_id"])

    def on_kill(self) -> None:
        """Leave the job at work: whoever does this task again finds it, and where nobody does, a later run ends it.

        The stock operator ends it, though a worker of Airflow that shuts down says nothing of whether a job is wanted.
        """
        self.log.warning("this process was told to end; job %s goes on", self.job_id)

    def _record(self, ctx: FeedContext, context: Mapping[str, Any]) -> RunRecord:
        from filebatch.runs import processing

        run = run_of(context)
        return processing.record_of(ctx, run.run_id, run.hash)

    def _wait(self, ctx: FeedContext, context: Any, record: RunRecord, job_id: str) -> str | None:
        """Settle if the job has ended, else wait for it in the triggerer."""
        from filebatch.runs import jobs

        self.job_id = job_id
        job = jobs.describe(ctx.batch, job_id)
        if job is not None and job["status"] in jobs.TERMINAL:
            return self._ended(ctx, context, job_id)
        self._link(context, ctx, job)
        return self._defer(ctx, record.token, job_id)

    def _ended(self, ctx: FeedContext, context: Any, job_id: str) -> str | None:
        """Settle by a job that has ended, unless it left the work to another of the round: then wait for that one."""
        record = self._record(ctx, context)
        if record.fence and record.fence != job_id:
            self.log.warning("another job of this round was at work first: %s", record.fence)
            return self._wait(ctx, context, record, record.fence)
        return self._settle(ctx, context, record, job_id)

    def _defer(self, ctx: FeedContext, claim: str, job_id: str) -> NoReturn:
        from filebatch.triggers.round_job import RoundJobTrigger

        where = ctx.settings
        trigger = RoundJobTrigger(
            job_id, self.feed.name, claim, where.ledger, where.heartbeat_seconds, self.aws_conn_id, where.region
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def _settle(self, ctx: FeedContext, context: Any, record: RunRecord, job_id: str | None) -> str | None:
        from filebatch.runs import processing, report

        settled = processing.settle(ctx, record, job_id)
        self._explain(ctx, record, settled)
        context["ti"].xcom_push(key="counts", value=dict(settled.counts))
        context["ti"].xcom_push(key=run_notes.XCOM, value=report.counted(settled.counts))
        if complaint := processing.complaint(ctx, record, settled):
            raise Failed(complaint)
        return job_id

    def _explain(self, ctx: FeedContext, record: RunRecord, settled: Settled) -> None:
        """Say what became of the files; what goes wrong with that changes nothing of it."""
        from filebatch.runs import explaining

        try:
            told = explaining.of(ctx, record, settled)
            self.container_log = told.container_log
            for line in told.lines:
                self.log.info("%s", line)
        except Exception:
            self.log.exception("what became of the files can't be told whole; they are as the ledger says")

    def _link(self, context: Any, ctx: FeedContext, job: Mapping[str, Any] | None) -> None:
        """Keep the links of the console, which a deferral would lose."""
        where = {"region_name": ctx.settings.region, "aws_partition": ctx.batch.meta.partition}
        BatchJobDetailsLink.persist(context=context, operator=self, job_id=self.job_id, **where)
        if job is not None:
            definition, queue = job["jobDefinition"], job["jobQueue"]
            BatchJobDefinitionLink.persist(context=context, operator=self, job_definition_arn=definition, **where)
            BatchJobQueueLink.persist(context=context, operator=self, job_queue_arn=queue, **where)
