"""Doorbells that each lack one protection, as they would be written without the trouble that it saves from.

It lies beside the DAG file of these tests, which says who lacks what.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from filebatch.core import clock
from filebatch.core.records import FileRecord
from filebatch.core.requests import encode
from filebatch.triggers.arrivals import ArrivalsTrigger
from filebatch.triggers.async_ledger import AsyncLedger
from filebatch.triggers.context import TriggerContext
from filebatch.triggers.listener import Listener
from filebatch.triggers.watch import LOOK_LEAST, Watch

Activities = Sequence[Coroutine[Any, Any, None]]


class RingsForArrivals(ArrivalsTrigger):
    """Rings when files arrive, and never for what is left: an edge instead of a level."""

    def _activities(self, ctx: TriggerContext, arrived: asyncio.Event, rings: asyncio.Queue[str]) -> Activities:
        async def ring() -> None:
            while True:
                await arrived.wait()
                arrived.clear()
                rings.put_nowait(clock.to_iso(clock.now()))
                await asyncio.sleep(LOOK_LEAST)

        return Listener(ctx, arrived).listen(), ring()


class AcknowledgesFirst(ArrivalsTrigger):
    """Deletes messages before anything of them is kept, as Airflow's own SQS trigger does."""

    def _activities(self, ctx: TriggerContext, arrived: asyncio.Event, rings: asyncio.Queue[str]) -> Activities:
        return _EagerListener(ctx, arrived).listen(), Watch(ctx, arrived, rings).watch()


class RecordsAnew(ArrivalsTrigger):
    """Writes each message's file as one that has just arrived, whatever is known of it."""

    def _activities(self, ctx: TriggerContext, arrived: asyncio.Event, rings: asyncio.Queue[str]) -> Activities:
        return _ForgetfulListener(ctx, arrived).listen(), Watch(ctx, arrived, rings).watch()


class EndsWithAFault(ArrivalsTrigger):
    """Takes arrivals until the first fault."""

    def _activities(self, ctx: TriggerContext, arrived: asyncio.Event, rings: asyncio.Queue[str]) -> Activities:
        return Listener(ctx, arrived)._listen(), Watch(ctx, arrived, rings)._watch()


class _EagerListener(Listener):
    async def _take(self, sqs: Any, queue: str, ledger: AsyncLedger) -> None:
        await super()._take(_EagerQueue(sqs), queue, ledger)


class _EagerQueue:
    def __init__(self, sqs: Any) -> None:
        self._sqs = sqs

    async def receive_message(self, **request: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self._sqs.receive_message(**request)
        for message in answer.get("Messages", []):
            await self._sqs.delete_message(QueueUrl=request["QueueUrl"], ReceiptHandle=message["ReceiptHandle"])
        return answer

    async def delete_message_batch(self, **_: Any) -> dict[str, Any]:
        return {}


class _ForgetfulListener(Listener):
    async def _take(self, sqs: Any, queue: str, ledger: AsyncLedger) -> None:
        await super()._take(sqs, queue, _ForgetfulLedger(ledger))  # type: ignore[arg-type]  # it has what is asked of it


class _ForgetfulLedger:
    def __init__(self, ledger: AsyncLedger) -> None:
        self._ledger, self.try_move = ledger, ledger.try_move

    async def add(self, record: FileRecord) -> bool:
        item = encode(record.to_item())
        await self._ledger._client.put_item(TableName=self._ledger.table, Item=item)
        return True
