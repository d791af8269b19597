"""Claiming files in the ledger."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from filebatch.core import clock, states
from filebatch.core.errors import ConfigurationError, SelectionError
from filebatch.core.ledger import Item
from filebatch.feeds.feed import Feed
from filebatch.feeds.selection import Selection
from filebatch.intake import arrivals, listing
from filebatch.intake.listing import Looked
from filebatch.run_context import AWS_CONN_ID, Run, feed_context, run_of
from filebatch.runs import answers, claiming, infrastructure, jobs, open_items, takeover
from filebatch.runs.answers import Nothing
from filebatch.runs.claiming import Claim, Planned
from filebatch.runs.context import FeedContext

log = logging.getLogger(__name__)


class ClaimFilesOperator(BaseOperator):
    """Take the files that this run is responsible for, and write units for the workers.

    It drains the feed's queue and settles dead runs of the feed first, and answers the bell once it has claimed. Its
    XCom is a small document: `token` of the claim, URI of the `manifest`, numbers of `files` and `units`.

    Raises:
        AirflowSkipException: there is nothing to do; the run stays green and nothing is submitted.
        AirflowFailException: none of the named keys is done, or the params or the deployment are wrong.
    """

    def __init__(self, *, feed: Feed, aws_conn_id: str | None = AWS_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.feed = feed
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Claim; the same again for a repeated task, the next epoch for a run that was settled and cleared."""
        run, began = run_of(context), clock.now()
        try:
            selection = run.selection(self.feed)
            ctx = feed_context(self.feed, self.aws_conn_id)
            infrastructure.check_job_definition(ctx.batch, ctx.settings, self.feed.name)
            claim = self._claim(ctx, run, selection, context)
        except (SelectionError, ConfigurationError) as error:
            raise AirflowFailException(str(error)) from error
        if selection.everything:
            ctx.ledger.move(states.answered(self.feed.name, began))
        if isinstance(claim, Nothing):
            refuse = AirflowFailException if selection.keys else AirflowSkipException
            raise refuse(f"nothing to do for {self.feed.name}: {selection}: {claim.why}")
        self.log.info("claimed %s files in %s units: %s", claim.files, claim.units, claim.manifest)
        return asdict(claim)

    def _claim(self, ctx: FeedContext, run: Run, selection: Selection, context: Mapping[str, Any]) -> Claim | Nothing:
        latest = ctx.ledger.latest_run(self.feed.name, run.hash)
        if latest and not _settled_and_cleared(latest, run):
            return self._resume(ctx, run, selection, latest) or Nothing("its first try had nothing to do")
        self._take_in(ctx, run, selection, context)
        planned = self._plan(ctx, selection, latest)
        if isinstance(planned, Nothing) and selection.everything:
            return planned
        epoch = latest["epoch"] + 1 if latest else 1
        why = f"{selection}{', again' if latest else ''}"
        if isinstance(planned, Nothing):
            self._open(ctx, run, [], epoch=epoch, why=why)
            return planned
        return self._open(ctx, run, planned, epoch=epoch, why=why) or Nothing("other runs took them all meanwhile")

    def _resume(self, ctx: FeedContext, run: Run, selection: Selection, record: Item) -> Claim | None:
        """End where the claim that was begun ends."""
        token = record["sk"]
        if record["round"]:
            self.log.info("this run has its claim: %s", token)
            manifest = f"s3://{ctx.settings.results}/{claiming.manifest_key(self.feed.name, record)}"
            return Claim(token, manifest, record["files"], record["units"])
        if record["state"] not in (states.PLANNED, states.CLAIMED):
            return None
        planned = claiming.read_plan(ctx, token)
        if planned is None:
            earlier = jobs.token(run.hash, record["epoch"] - 1)
            found = self._plan(ctx, selection, ctx.ledger.get(states.run_key(self.feed.name, earlier)))
            planned = [] if isinstance(found, Nothing) else found
        return claiming.make_claim(ctx, token, run.run_id, planned)

    def _open(self, ctx: FeedContext, run: Run, planned: list[Planned], *, epoch: int, why: str) -> Claim | None:
        token = jobs.token(run.hash, epoch)
        facts = {"run_id": run.run_id, "epoch": epoch, "cleared": run.cleared, "why": why}
        record = states.open_run(
            self.feed.name, token, facts, heartbeat=ctx.settings.heartbeat_timeout, now=clock.now()
        )
        ctx.ledger.add(record if planned else states.empty_run(record))
        return claiming.make_claim(ctx, token, run.run_id, planned) if planned else None

    def _take_in(self, ctx: FeedContext, run: Run, selection: Selection, context: Mapping[str, Any]) -> None:
        """Take what events brought, look for what they didn't, and settle the dead."""
        if not selection.everything:
            return
        with infrastructure.queue_needed(ctx.settings, self.feed.name):
            taken = arrivals.drain(ctx.sqs, ctx.s3, ctx.settings.queue(self.feed.name), ctx.ledger, self.feed)
        self.log.info("the queue brought %s", taken)
        if selection.sweep:
            self.log.info("the sweep found %s", listing.sweep(ctx.s3, ctx.settings.new_files, self.feed, ctx.ledger))
        takeover.take_over(ctx, run.hash, lambda run_id: is_over(context["ti"], self.feed.name, run_id))

    def _plan(self, ctx: FeedContext, selection: Selection, earlier: Item | None) -> list[Planned] | Nothing:
        """Plan the files of a selection; after an earlier claim of the same run its files too, all done again."""
        looked = self._look(ctx, selection)
        items = self._items(ctx, selection, looked) if earlier is None else self._again(ctx, selection, earlier, looked)
        asked, force = earlier is not None or not selection.everything, earlier is not None or selection.force
        planned = [each for item in items if (each := claiming.plan_one(item, asked=asked, force=force))]
        self._report_held(items, planned)
        if not planned:
            return answers.nothing(selection, items, looked)
        for line in answers.left_out(selection, items, looked, {each.key for each in planned}):
            self.log.warning("not done: %s", line)
        left = len(planned) - self.feed.packing.claim
        if left > 0:
            self.log.warning("%s of %s files are left for later runs", left, len(planned))
        return planned[: self.feed.packing.claim]

    def _report_held(self, items: list[Item], planned: list[Planned]) -> None:
        """Files that another run holds are not nothing: they are named, and fail a run that has no others.

        Raises:
            AirflowException: other runs hold all of them; a retry looks again.
        """
        held = [item for item in items if item["state"] == states.CLAIMED]
        if not held:
            return
        told = f"{len(held)} files are held by other runs: {sorted({item['run_id'] for item in held})}"
        if not planned:
            raise AirflowException(f"{told}; clear this task when they have ended")
        self.log.warning("%s", told)

    def _look(self, ctx: FeedContext, selection: Selection) -> Looked:
        """Look at the bucket for what is asked for; what waits is in the ledger already."""
        if selection.everything:
            return Looked()
        return listing.look(ctx.s3, ctx.settings.new_files, self.feed, selection)

    def _again(self, ctx: FeedContext, selection: Selection, earlier: Item, looked: Looked) -> list[Item]:
        """Return all files of the run's earlier claim, and of its window or params."""
        keys = {planned.key for planned in claiming.read_plan(ctx, earlier["sk"]) or []}
        items = list(ctx.ledger.get_many(list(keys)).values())
        if not selection.everything:
            items += [item for item in self._items(ctx, selection, looked) if (item["pk"], item["sk"]) not in keys]
        return items

    def _items(self, ctx: FeedContext, selection: Selection, looked: Looked) -> list[Item]:
        """Return the ledger's items of a selection; files that the ledger hasn't got are recorded on the way."""
        if selection.everything:
            return open_items.waiting_files(ctx, clock.now(), self.feed.packing.claim)
        keys = [states.file_key(file) for file in looked.files]
        known = ctx.ledger.get_many(keys)
        fresh = [file for file in looked.files if states.file_key(file) not in known]
        if fresh:
            arrivals.record(ctx.ledger, self.feed, fresh, clock.now())
            known = ctx.ledger.get_many(keys)
        return [known[key] for key in keys if key in known]


def _settled_and_cleared(record: Item, run: Run) -> bool:
    return record["state"] in (states.SETTLED, states.ANNOUNCED) and run.cleared > record["cleared"]


def is_over(ti: Any, dag_id: str, run_id: str) -> bool:
    """Ask Airflow whether a run has ended; one that it doesn't know has.

    Any other answer than 404 says nothing about the run, which may live: then only its silence tells.
    """
    from airflow.sdk.api.client import ServerResponseError
    from airflow.sdk.exceptions import AirflowRuntimeError

    try:
        state = ti.get_dagrun_state(dag_id, run_id)
    except AirflowRuntimeError as error:
        found = (error.error.detail or {}).get("status_code")
    except ServerResponseError as error:  # `airflow dags test` hands it on as it came
        found = error.response.status_code
    else:
        return str(getattr(state, "value", state)) in {"success", "failed"}
    if found != HTTPStatus.NOT_FOUND:
        log.warning("Airflow did not tell the state of run %s: status %s", run_id, found)
    return bool(found == HTTPStatus.NOT_FOUND)
