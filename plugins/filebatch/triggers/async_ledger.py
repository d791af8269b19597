"""The ledger for triggers: the same requests as `filebatch.core.ledger` sends, through an aiobotocore client."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from filebatch.core.ledger import INDEX, Item, decode, key_of, put_request, query_request, refused, update_request
from filebatch.core.states import Key, Move


class AsyncLedger:
    """One ledger table, reached through an aiobotocore client."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self.table = table

    async def add(self, item: Item) -> bool:
        """Write an item where there is none; False where there is one already, which stays as it is."""
        return await self._write(self._client.put_item, put_request(item))

    async def move(self, move: Move) -> bool:
        """Make a move; False where its condition doesn't hold."""
        return await self._write(self._client.update_item, update_request(move))

    async def get(self, key: Key) -> Item | None:
        """Read one item, consistently."""
        answer = await self._client.get_item(TableName=self.table, Key=key_of(key), ConsistentRead=True)
        return decode(answer["Item"]) if "Item" in answer else None

    async def has_due(self, partition: str, due: datetime) -> bool:
        """Tell whether anything of an index partition is due by then."""
        request = {"TableName": self.table, "IndexName": INDEX, **query_request(partition, due)}
        answer = await self._client.query(Limit=1, **request)
        return bool(answer["Items"])

    async def _write(self, send: Any, request: dict[str, Any]) -> bool:
        try:
            await send(TableName=self.table, **request)
        except ClientError as error:
            if refused(error):
                return False
            raise
        return True
