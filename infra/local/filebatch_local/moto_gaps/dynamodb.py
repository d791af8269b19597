"""What moto's DynamoDB lacks.

What moto 5.2.5 does, each shown by a test in tests/local/moto_gaps/test_dynamodb.py:

- It checks a ConditionExpression and writes in two steps without a lock, so that two writes may succeed where one can.
  And a transaction that fails restores the whole table as it was at its start, which undoes what others wrote since.
  AWS decides each write atomically. Here requests are served one after the other.
- An update that makes its item too large is refused when half of it is done, and one that replaces a large value may be
  refused although its item is small enough. AWS refuses what is larger than 400 KB, and then changes nothing:
  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
- Keys of indexes have whatever type and may be empty (refusals.py).
"""

from __future__ import annotations

import base64
import copy
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import moto.dynamodb.models as moto_dynamodb
from moto.dynamodb.exceptions import ItemSizeTooLarge, ItemSizeToUpdateTooLarge, MockValidationException
from moto.dynamodb.models.dynamo_type import LimitedSizeDict
from moto.dynamodb.models.table import Table

from filebatch_local.base.mean import Mean
from filebatch_local.moto_gaps import lag
from filebatch_local.moto_gaps.refusals import refusal

MAX_ITEM = 400 * 1024  # bytes

_backend_update, _table_put = moto_dynamodb.DynamoDBBackend.update_item, Table.put_item


class OneAtATime:
    """WSGI middleware that serves one DynamoDB request at a time; other requests aren't held up."""

    def __init__(self, app: Any) -> None:
        self._app, self._lock = app, threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        if not environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB"):
            return self._app(environ, start_response)  # type: ignore[no-any-return]  # WSGI
        with self._lock:
            return self._app(environ, start_response)  # type: ignore[no-any-return]  # WSGI


def install(mean: Mean) -> None:
    """Replace moto's checks of an item's size, and let reads be behind."""
    LimitedSizeDict.__setitem__ = dict.__setitem__
    Table.put_item = _put_item
    moto_dynamodb.DynamoDBBackend.update_item = _update_item
    if mean.seed is not None:
        lag.install(mean, _update_item, moto_dynamodb.DynamoDBBackend)


def size(item: Mapping[str, Any]) -> int:
    """Return an item's size in bytes, of attribute values as requests have them.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _size_of(value) for name, value in item.items())


def _size_of(value: Mapping[str, Any]) -> int:  # noqa: PLR0911 - one for each type
    ((kind, found),) = value.items()
    match kind:
        case "S":
            return len(found.encode())
        case "N":
            return (len(found.strip("-").replace(".", "").strip("0")) + 1) // 2 + 1
        case "B":
            return len(base64.b64decode(found))
        case "SS" | "NS" | "BS":
            return sum(_size_of({kind[0]: each}) for each in found)
        case "L":
            return 3 + sum(1 + _size_of(each) for each in found)
        case "M":
            return 3 + len(found) + size(found)
        case _:
            return 1


def _put_item(table: Any, item_attrs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
    if size(item_attrs) > MAX_ITEM:
        raise ItemSizeTooLarge
    _check_index_keys(table, item_attrs)
    return _table_put(table, item_attrs, *arguments, **options)


def _update_item(backend: Any, table_name: str, key: dict[str, Any], *arguments: Any, **options: Any) -> Any:
    """Update an item; one that is refused, for whatever reason, leaves it as it was."""
    table = backend.get_table(table_name)
    at = backend.get_keys_value(table, key)
    before = copy.deepcopy(table.get_item(*at))
    try:
        item = _backend_update(backend, table_name, key, *arguments, **options)
        written = item.to_json()["Attributes"]
        if size(written) > MAX_ITEM:
            raise ItemSizeToUpdateTooLarge
        _check_index_keys(table, written)
    except Exception:
        _restore(table, at, before)
        raise
    return item


def _check_index_keys(table: Any, item: Mapping[str, Any]) -> None:
    indexes = [one.schema for one in [*table.indexes, *table.global_indexes]]
    if found := refusal("dynamodb", "item", {"item": item, "types": table.attr, "indexes": indexes}):
        raise MockValidationException(f"One or more parameter values are not valid: {found.rule}")


def _restore(table: Any, at: tuple[Any, Any], before: Any) -> None:
    hash_key, range_key = at
    if before is None:
        table.delete_item(hash_key, range_key)
    elif range_key is None:
        table.items[hash_key] = before
    else:
        table.items[hash_key][range_key] = before
