"""Waiting a while without a worker slot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from filebatch.triggers.kept import kept


class PauseTrigger(BaseTrigger):
    """Fires after `seconds`, and hands `deadline` (ISO 8601) on, as each deferral would otherwise begin a new wait."""

    def __init__(self, seconds: float, deadline: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds = seconds
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes this trigger again."""
        return kept(self)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep, then fire."""
        await asyncio.sleep(self.seconds)
        yield TriggerEvent({"deadline": self.deadline})  # type: ignore[no-untyped-call]
