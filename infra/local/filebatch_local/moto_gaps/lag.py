"""Eventually consistent reads of DynamoDB that are behind: each change of an item is seen by them a while later.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html
"""

from __future__ import annotations

import copy
import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.dynamodb.models.table import Table

from filebatch_local.base.mean import Mean

_delete, _query, _scan, _all = Table.delete_item, Table.query, Table.scan, Table.all_items
Key = tuple[str, Any, Any]  # table, partition key, sort key


@dataclass
class Lag:
    """What such reads don't know yet.

    Attributes:
        mean: says how late each change is seen.
        now: seconds since some moment.
        behind: whether the read that is going on is one of them; requests are served one after the other.
    """

    mean: Mean
    now: Callable[[], float] = time.monotonic
    behind: bool = False
    _unseen: dict[Key, list[tuple[float, Any]]] = field(default_factory=dict)

    def note(self, table: Any, hash_key: Any, range_key: Any) -> None:
        """Keep an item as it is before it changes, for as long as the change isn't seen."""
        earlier = self._still_unseen((table.name, hash_key, range_key))
        seen_at = self.now() + self.mean.late("index lag")
        if earlier or seen_at > self.now():
            before = copy.deepcopy(table.get_item(hash_key, range_key))
            latest = max([seen_at, *(at for at, _ in earlier)])  # an item's changes are seen in their order
            self._unseen[table.name, hash_key, range_key] = [*earlier, (latest, before)]

    def items(self, table: Any, items: list[Any]) -> list[Any]:
        """Return a table's items as they are seen."""
        keys = [key for key in list(self._unseen) if key[0] == table.name]
        old = {key[1:]: changes[0][1] for key in keys if (changes := self._still_unseen(key))}
        if not old:
            return items
        rest = [item for item in items if (item.hash_key, item.range_key) not in old]
        return [*rest, *(before for before in old.values() if before is not None)]

    def _still_unseen(self, key: Key) -> list[tuple[float, Any]]:
        now = self.now()
        left = [change for change in self._unseen.pop(key, []) if change[0] > now]
        if left:
            self._unseen[key] = left
        return left

    def read(self, original: Any) -> Any:
        """Return a read of tables that may be behind, unless it asks for consistency."""
        signature = inspect.signature(original)

        def reading(*args: Any, **options: Any) -> Any:
            self.behind = not signature.bind(*args, **options).arguments.get("consistent_read")
            try:
                return original(*args, **options)
            finally:
                self.behind = False

        return reading


def install(mean: Mean, update: Any, backend: Any) -> None:
    """Have queries and scans be behind.

    Args:
        mean: says how far.
        update: the backend's `update_item`.
        backend: its class.
    """
    lag = Lag(mean)

    def put_item(table: Any, item_attrs: dict[str, Any], *args: Any, **options: Any) -> Any:
        lag.note(table, *_key(table, item_attrs))
        return _put_of_now(table, item_attrs, *args, **options)

    def delete_item(table: Any, hash_key: Any, range_key: Any) -> Any:
        lag.note(table, hash_key, range_key)
        return _delete(table, hash_key, range_key)

    def update_item(self: Any, table_name: str, key: dict[str, Any], *args: Any, **options: Any) -> Any:
        table = self.get_table(table_name)
        lag.note(table, *self.get_keys_value(table, key))
        return update(self, table_name, key, *args, **options)

    def all_items(table: Any) -> list[Any]:
        return lag.items(table, _all(table)) if lag.behind else _all(table)

    _put_of_now = Table.put_item
    Table.put_item, Table.delete_item, Table.all_items = put_item, delete_item, all_items
    Table.query, Table.scan = lag.read(_query), lag.read(_scan)
    backend.update_item = update_item


def _key(table: Any, item: dict[str, Any]) -> tuple[Any, Any]:
    from moto.dynamodb.models.dynamo_type import DynamoType

    names = (table.hash_key_attr, table.range_key_attr)
    hash_key, range_key = (DynamoType(item[name]) if name else None for name in names)
    return hash_key, range_key
