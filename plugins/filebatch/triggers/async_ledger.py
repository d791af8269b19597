"""The ledger for triggers: the same requests as `filebatch.core.ledger` sends, through an aiobotocore client."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from filebatch.core import requests
from filebatch.core.ledger import Moved, moved
from filebatch.core.moves import Move
from filebatch.core.record import Record
from filebatch.core.rows import Item, Partition, R, Row


class AsyncLedger:
    """One ledger table, reached through an aiobotocore client."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self.table = table

    async def add(self, record: Record) -> bool:
        """Write a record where there is none; False where there is another already, which stays as it is."""
        try:
            await self._client.put_item(TableName=self.table, **requests.put(record.to_item()))
        except ClientError as error:
            if not requests.refused(error):
                raise
            found = error.response.get("Item")
            return (requests.decode(found) if found else await self._item(record.row)) == record.to_item()
        return True

    async def try_move(self, move: Move[R]) -> Moved[R]:
        """Make a move that may be refused: then nothing changes, and the item that stood against it is returned."""
        try:
            answer = await self._client.update_item(TableName=self.table, **requests.update(move))
        except ClientError as error:
            if not requests.refused(error):
                raise
            found = error.response.get("Item")
            return moved(move, requests.decode(found) if found else await self._item(move.row))
        return Moved(True, move.row.kind.from_item(requests.decode(answer["Attributes"])))

    async def get(self, row: Row[R]) -> R | None:
        """Read one row, consistently."""
        item = await self._item(row)
        return None if item is None else row.kind.from_item(item)

    async def has_due(self, partition: Partition[Any], due: datetime) -> bool:
        """Tell whether anything of an index partition is due by then."""
        request = {"TableName": self.table, "IndexName": requests.INDEX, **requests.query(partition.name, due)}
        answer = await self._client.query(Limit=1, **request)
        return bool(answer["Items"])

    async def _item(self, row: Row[R]) -> Item | None:
        key = requests.encode(row.key)
        answer = await self._client.get_item(TableName=self.table, Key=key, ConsistentRead=True)
        return requests.decode(answer["Item"]) if "Item" in answer else None
