"""Processing: one array job for all files that a run claimed, and the truth about each of them afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from airflow.providers.amazon.aws.links.batch import BatchJobDefinitionLink, BatchJobDetailsLink, BatchJobQueueLink
from airflow.providers.amazon.aws.operators.batch import BatchOperator
from airflow.sdk.exceptions import AirflowFailException
from botocore.exceptions import ClientError

from filebatch.core import clock, states
from filebatch.core.errors import ConfigurationError
from filebatch.core.ledger import Item
from filebatch.feeds.feed import Feed
from filebatch.run_context import AWS_CONN_ID, feed_context, run_of
from filebatch.runs import claiming, infrastructure, jobs, settling, takeover
from filebatch.runs.context import FeedContext
from filebatch.runs.settling import Settled
from filebatch.triggers.round_job import RoundJobTrigger

FAILS_RUN: Mapping[str, tuple[str, ...]] = {
    "failed": (states.FAILED,),
    "invalid": (states.FAILED, states.INVALID),
    "never": (),
}


class ProcessFilesOperator(BatchOperator):
    """Submit the round's job, wait without a slot, then settle each file from ledger and results.

    Submitting is idempotent: a job of the round that exists is waited for. Done again after it was settled, failed
    files that have attempts left get another round, else it only settles again. Links, templating and the
    connection are the stock operator's; its `execute` and `execute_complete` lose the job's id over a deferral.

    Raises:
        AirflowFailException: files failed beyond the feed's rule; it names them with the reason.
    """

    # Without the log link, which this operator doesn't fill: Airflow would log an error for it with every task.
    operator_extra_links = (BatchJobDetailsLink(), BatchJobDefinitionLink(), BatchJobQueueLink())  # type: ignore[assignment]

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

    def execute(self, context: Any) -> str | None:
        """Submit or find the round's job; return its id, and leave `counts` of files by state as XCom."""
        ctx = feed_context(self.feed, self.aws_conn_id)
        record = self._record(ctx, context)
        if record["state"] in (states.SETTLED, states.ANNOUNCED):
            again = self._next_round(ctx, record)
            if again is None:
                return self._settle(ctx, context, record, record.get("fence") or record.get("job_id"))
            record = again
        return self._wait(ctx, context, record["sk"], self._submit(ctx, record))

    def execute_complete(self, context: Any, event: Mapping[str, Any] | None = None) -> str | None:  # type: ignore[override]
        """Settle after the trigger has fired; without an event the job is looked for again."""
        if event is None:
            return self.execute(context)
        return self._ended(feed_context(self.feed, self.aws_conn_id), context, event["job_id"])

    def _record(self, ctx: FeedContext, context: Mapping[str, Any]) -> Item:
        run = run_of(context)
        record = ctx.ledger.latest_run(self.feed.name, run.hash)
        if record is None:
            raise AirflowFailException(f"the run {run.run_id} has no claim in the ledger: clear claim_files")
        return record

    def _next_round(self, ctx: FeedContext, record: Item) -> Item | None:
        """Take failed files of a settled claim again, if they may be; None where there are none."""
        failed = [
            item
            for item in settling.items_of(ctx, record["sk"])
            if item["state"] == states.FAILED and item["attempts"] < self.feed.max_attempts
        ]
        if not failed:
            return None
        token, run_id, now = record["sk"], record["run_id"], clock.now()
        answers = ctx.ledger.move_all(
            states.claim(states.file_key_of(item), token, run_id, item["generation"], now, asked=True)
            for item in failed
        )
        taken = [answer.item for answer in answers if answer.done and answer.item]
        if not taken:
            return None
        claiming.begin_round(ctx, token, run_id, record["round"] + 1, taken)
        return ctx.ledger.get((record["pk"], record["sk"]))

    def _submit(self, ctx: FeedContext, record: Item) -> str:
        """Return the round's job: the one that works, the one that was submitted, or a new one."""
        job_name = record["job_name"]
        found = record.get("fence") or record.get("job_id") or jobs.find(ctx.batch, ctx.settings.job_queue, job_name)
        if found is None:
            found = self._new_job(ctx, record)
            self.log.info("submitted job %s as %s with %s units", found, job_name, record["units"])
        else:
            self.log.info("job %s is there already: %s", job_name, found)
        ctx.ledger.move(states.submitted(self.feed.name, record["sk"], record["round"], found))
        return found

    def _new_job(self, ctx: FeedContext, record: Item) -> str:
        """Submit the round's job; where its definition is gone, nobody could, so the files are given back."""
        request = jobs.submit_request(
            ctx.settings,
            self.feed,
            record["job_name"],
            units=claiming.manifest_key(self.feed.name, record),
            count=record["units"],
            memory=record["memory"],
        )
        try:
            return str(ctx.batch.submit_job(**request)["jobId"])
        except ClientError as refused:
            if infrastructure.is_refused(refused):
                self._give_back_unless_defined(ctx, record)
            raise

    def _give_back_unless_defined(self, ctx: FeedContext, record: Item) -> None:
        try:
            infrastructure.check_job_definition(ctx.batch, ctx.settings, self.feed.name)
        except ConfigurationError as missing:
            takeover.close_unsubmitted(ctx, record["sk"])
            raise AirflowFailException(f"{missing}. The files of this run wait again") from missing

    def _wait(self, ctx: FeedContext, context: Any, claim: str, job_id: str) -> str | None:
        """Settle if the job has ended, else wait for it in the triggerer."""
        self.job_id = job_id
        job = jobs.describe(ctx.batch, job_id)
        if job is not None and job["status"] in jobs.TERMINAL:
            return self._ended(ctx, context, job_id)
        self._link(context, ctx, job)
        return self._defer(ctx, claim, job_id)

    def _ended(self, ctx: FeedContext, context: Any, job_id: str) -> str | None:
        """Settle by a job that has ended, unless it left the work to another of the round: then wait for that one."""
        record = self._record(ctx, context)
        if record.get("fence", job_id) != job_id:
            self.log.warning("another job of this round was at work first: %s", record["fence"])
            return self._wait(ctx, context, record["sk"], record["fence"])
        return self._settle(ctx, context, record, job_id)

    def _defer(self, ctx: FeedContext, claim: str, job_id: str) -> NoReturn:
        where = ctx.settings
        trigger = RoundJobTrigger(
            job_id, self.feed.name, claim, where.ledger, where.heartbeat_seconds, self.aws_conn_id, where.region
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def _settle(self, ctx: FeedContext, context: Any, record: Item, job_id: str | None) -> str | None:
        job = jobs.describe(ctx.batch, job_id) if job_id else None
        settled = settling.settle(ctx, record, job)
        self.log.info("settled: %s", dict(settled.counts))
        context["ti"].xcom_push(key="counts", value=dict(settled.counts))
        self._judge(settled)
        return job_id

    def _judge(self, settled: Settled) -> None:
        """Fail where the feed says so, naming the files and why."""
        bad = FAILS_RUN[self.feed.fail_run_on]
        if settled.of(*bad):
            named = settling.describe(settled, *bad)
            raise AirflowFailException(f"{len(settled.of(*bad))} files of {len(settled.items)}:\n{named}")

    def _link(self, context: Any, ctx: FeedContext, job: Mapping[str, Any] | None) -> None:
        """Keep the links of the console, which a deferral would lose."""
        where = {"region_name": ctx.settings.region, "aws_partition": ctx.batch.meta.partition}
        BatchJobDetailsLink.persist(context=context, operator=self, job_id=self.job_id, **where)
        if job is not None:
            definition, queue = job["jobDefinition"], job["jobQueue"]
            BatchJobDefinitionLink.persist(context=context, operator=self, job_definition_arn=definition, **where)
            BatchJobQueueLink.persist(context=context, operator=self, job_queue_arn=queue, **where)
