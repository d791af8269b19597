"""From a feed's queue into the ledger, without a pause: receive, record, and only then acknowledge."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from filebatch.core import clock, feed_moves
from filebatch.core.contract import FileVersion
from filebatch.core.errors import ContractError
from filebatch.core.records import FileRecord
from filebatch.intake import arrivals, event_keys
from filebatch.intake.arrivals import Taken
from filebatch.intake.event_keys import Seen
from filebatch.runs import infrastructure
from filebatch.triggers.async_ledger import AsyncLedger
from filebatch.triggers.clients import LONG_POLL
from filebatch.triggers.context import Faults, TriggerContext

log = logging.getLogger(__name__)

Read = tuple[list[FileRecord], Taken]  # what a message brought: records of work, and what is no work
EMPTY_LEAST = 1.0  # seconds that an empty receive takes at least, should a queue not wait as it is asked to


class Listener:
    """Takes a feed's arrivals; two of them only share the work, as the ledger takes each file once.

    Args:
        ctx: the feed in its environment.
        arrived: set whenever a new file is in the ledger.
    """

    def __init__(self, ctx: TriggerContext, arrived: asyncio.Event) -> None:
        self._ctx = ctx
        self._arrived = arrived
        self._faults = Faults(ctx, "taking arrivals")

    async def listen(self) -> None:
        """Take arrivals until cancelled, whatever fails on the way."""
        await self._faults.retry(self._listen)

    async def _listen(self) -> None:
        settings, feed = await self._ctx.settings(), self._ctx.feed.name
        with infrastructure.queue_needed(settings, feed):
            async with self._ctx.client("sqs") as sqs, self._ctx.ledger() as ledger:
                while True:
                    await self._take(sqs, settings.queue(feed), ledger)
                    self._faults.over()

    async def _take(self, sqs: Any, queue: str, ledger: AsyncLedger) -> None:
        """Receive once, record what came, acknowledge what is recorded; the first failure to record is raised."""
        began = time.monotonic()
        answer = await sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=arrivals.RECEIVE, WaitTimeSeconds=LONG_POLL
        )
        messages = answer.get("Messages", [])
        if not messages:
            await asyncio.sleep(max(0.0, EMPTY_LEAST - (time.monotonic() - began)))
            return
        files = arrivals.understood(messages)
        once = list(dict.fromkeys(files.values()))  # what is told twice at once counts once
        read = await asyncio.gather(*(self._read(file) for file in once), return_exceptions=True)
        await self._note_arrival(ledger, read)
        recorded = await asyncio.gather(*(_record(ledger, each) for each in read), return_exceptions=True)
        outcome = dict(zip(once, recorded, strict=True))
        self._announce(recorded)
        done = [receipt for receipt, file in files.items() if isinstance(outcome[file], Taken)]
        await _acknowledge(sqs, queue, done)
        for failed in (each for each in recorded if isinstance(each, BaseException)):
            raise failed
        if len(messages) > len(done):
            await asyncio.sleep(EMPTY_LEAST)

    async def _read(self, told: FileVersion) -> Read | None:
        """Return what a file is; None where the message stays, as nobody can say which file it means."""
        try:
            file = await self._meant(told)
        except ContractError as error:
            log.error("a message is left for the dead-letter queue: %s", error)  # noqa: TRY400
            return None
        return arrivals.arrivals(self._ctx.feed, [file], clock.now())

    async def _note_arrival(self, ledger: AsyncLedger, read: Sequence[Read | BaseException | None]) -> None:
        """Write down that files arrive, before the first of them is the feed's."""
        files = [record for each in read if isinstance(each, tuple) for record in each[0]]
        if not files:
            return
        feed, now = self._ctx.feed, clock.now()
        arrived = feed_moves.arrived(feed.name, feed.prefix, arrivals.last_of(files, now), now)
        if not (await ledger.try_move(arrived)).done:
            await ledger.try_move(feed_moves.known(feed.name, feed.prefix, now))

    async def _meant(self, told: FileVersion) -> FileVersion:
        """Do what `event_keys.meant` does; S3 is connected to only where there is a doubt."""
        found = event_keys.readings(told)
        if len(found) == 1:
            return told
        async with self._ctx.client("s3") as s3:
            return event_keys.choose(found, [await _seen(s3, each) for each in found])

    def _announce(self, recorded: Sequence[Taken | BaseException | None]) -> None:
        """Log what came, and have the bell rung where there is something new."""
        total = sum((taken for taken in recorded if isinstance(taken, Taken)), Taken())
        log.info("feed %s: %s", self._ctx.feed.name, total)
        if total.new:
            self._arrived.set()


async def _record(ledger: AsyncLedger, read: Read | BaseException | None) -> Taken | None:
    if isinstance(read, BaseException):
        raise read
    if read is None:
        return None
    records, taken = read
    for record in records:
        new = await ledger.add(record)
        taken += Taken(new=new, known=not new)
    return taken


async def _seen(s3: Any, file: FileVersion) -> Seen:
    try:
        await s3.head_object(**file.address)
    except ClientError as error:
        return event_keys.refused(error)
    return Seen.THERE


async def _acknowledge(sqs: Any, queue: str, receipts: Sequence[str]) -> None:
    for _ in range(arrivals.DELETE_TRIES):
        if receipts:
            answer = await sqs.delete_message_batch(QueueUrl=queue, Entries=arrivals.delete_entries(receipts))
            receipts = arrivals.undeleted(answer, receipts)
