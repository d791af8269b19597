"""DynamoDB: conditional writes, items of at most 400 kB, and an index that may lag behind its table.

Conditions are read back into the values of `filebatch.core.conditions`, which `fake_table` decides.
"""

import heapq
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import count
from typing import Any

from fake_table import changed, holds
from filebatch.core.conditions import Absent, AnyOf, AtMost, Below, Condition, Contains, Equal, OneOf, Present
from filebatch.core.requests import decode, encode
from filebatch_local.moto_gaps.dynamodb import MAX_ITEM, size
from ledger_table import Shown, keys, projected, shown
from simulation.services.base import Pages, Service, refusal

Key = tuple[str, str]
Found = dict[str, Any]
BATCH_GET = 100
_MORE = {"LastEvaluatedKey": "ExclusiveStartKey"}


@dataclass
class Index:
    """An index as it is known so far: what was written comes to it later."""

    by: str
    order_by: str
    shown: Shown
    entries: dict[str, dict[Key, Found]] = field(default_factory=dict)
    pending: list[tuple[datetime, int, Key, Found | None]] = field(default_factory=list)
    where: dict[Key, str] = field(default_factory=dict)
    due: dict[Key, datetime] = field(default_factory=dict)
    order: Iterator[int] = field(default_factory=count)

    def write(self, key: Key, item: Found | None, at: datetime) -> None:
        """Take a write, which is seen from `at` on, and not before an earlier write of the same item."""
        at = max(at, self.due.get(key, at))
        self.due[key] = at
        heapq.heappush(self.pending, (at, next(self.order), key, item))

    def partition(self, name: str, now: datetime) -> list[tuple[Key, Found]]:
        """Return a partition's entries as of now, in their order."""
        while self.pending and self.pending[0][0] <= now:
            _, _, key, item = heapq.heappop(self.pending)
            self._replace(key, item)
        found = self.entries.get(name, {})
        return sorted(found.items(), key=lambda each: (each[1][self.order_by], each[0]))

    def _replace(self, key: Key, item: Found | None) -> None:
        if old := self.where.pop(key, None):
            del self.entries[old][key]
        if item and self.by in item and self.order_by in item:
            self.entries.setdefault(item[self.by], {})[key] = projected(item, self.shown)
            self.where[key] = item[self.by]


@dataclass
class Table:
    """A table with the ledger's keys and its indexes."""

    items: dict[Key, Found] = field(default_factory=dict)
    indexes: dict[str, Index] = field(default_factory=dict)

    @classmethod
    def defined(cls, definition: Mapping[str, Any]) -> "Table":
        """Return a table as CreateTable's arguments say."""
        indexes = definition["GlobalSecondaryIndexes"]
        return cls(
            indexes={one["IndexName"]: Index(*keys(one["KeySchema"]), shown(definition, one)) for one in indexes}
        )

    def index(self, key: Key, item: Found | None, at: datetime) -> None:
        """Have the indexes know of a write from `at` on."""
        for index in self.indexes.values():
            index.write(key, item, at)


class DynamoDB(Service):
    """Simulated DynamoDB.

    Args:
        now: tells the time.
        lag: how long the index is behind a write.
        left_out: how many keys of a BatchGetItem are left for later, of so many.
    """

    paged = {"query": Pages("Items", _MORE, "Limit"), "scan": Pages("Items", _MORE)}
    page = 1000  # items a page: AWS's limit is 1 MB

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.lag: Callable[[], timedelta] = timedelta
        self.left_out: Callable[[int], int] = lambda _: 0
        # Are told of each consistent read of an item, and of each write with the item before and after.
        self.read: Callable[[Key, Found | None], None] = lambda _key, _item: None
        self.read_in_batch = self.read
        self.wrote: Callable[[Key, Found | None, Found | None], None] = lambda _key, _old, _new: None
        self.tables: dict[str, Table] = {}

    def create_table(self, TableName: str, **definition: Any) -> Found:
        self.tables[TableName] = Table.defined(definition)
        return {}

    def get_item(self, TableName: str, Key: Found, ConsistentRead: bool = False) -> Found:
        item = self._table("get_item", TableName).items.get(_key(Key))
        self.read(_key(Key), item)
        return {"Item": encode(item)} if item else {}

    def put_item(
        self,
        TableName: str,
        Item: Found,
        ConditionExpression: str = "",
        ExpressionAttributeNames: Mapping[str, str] | None = None,
        ExpressionAttributeValues: Found | None = None,
        ReturnValuesOnConditionCheckFailure: str = "NONE",
    ) -> Found:
        table, item = self._table("put_item", TableName), decode(Item)
        key = (item["pk"], item["sk"])
        conditions = _conditions(ConditionExpression, ExpressionAttributeNames or {}, ExpressionAttributeValues or {})
        if not all(holds(each, table.items.get(key, {})) for each in conditions):
            told = _told(table.items.get(key), ReturnValuesOnConditionCheckFailure)
            raise refusal("put_item", "ConditionalCheckFailedException", "The conditional request failed", **told)
        if size(Item) > MAX_ITEM:
            raise refusal("put_item", "ValidationException", "Item size has exceeded the maximum allowed size")
        self._write(table, key, dict(item))
        return {}

    def update_item(
        self,
        *,
        TableName: str,
        Key: Found,
        UpdateExpression: str,
        ConditionExpression: str = "",
        ExpressionAttributeNames: Mapping[str, str] | None = None,
        ExpressionAttributeValues: Found | None = None,
        ReturnValues: str = "NONE",
        ReturnValuesOnConditionCheckFailure: str = "NONE",
    ) -> Found:
        table, key = self._table("update_item", TableName), _key(Key)
        names, given = ExpressionAttributeNames or {}, ExpressionAttributeValues or {}
        item, values = table.items.get(key), decode(given)
        if not all(holds(each, item or {}) for each in _conditions(ConditionExpression, names, given)):
            told = _told(item, ReturnValuesOnConditionCheckFailure)
            raise refusal("update_item", "ConditionalCheckFailedException", "The conditional request failed", **told)
        become, drop, add, appended = _update(UpdateExpression)
        new = changed(
            {"pk": key[0], "sk": key[1], **(item or {})},
            {names[name]: values[value] for name, value in become},
            [names[name] for name in drop],
            {names[name]: values[value] for name, value in add},
        )
        for name, none, more in appended:
            new[names[name]] = [*new.get(names[name], values[none]), *values[more]]
        if size(encoded := encode(new)) > MAX_ITEM:
            raise refusal(
                "update_item", "ValidationException", "Item size to update has exceeded the maximum allowed size"
            )
        self._write(table, key, new)
        return {"Attributes": encoded} if ReturnValues == "ALL_NEW" else {}

    def delete_item(self, TableName: str, Key: Found) -> Found:
        table, key = self._table("delete_item", TableName), _key(Key)
        if table.items.pop(key, None):
            table.index(key, None, self.now() + self.lag())
        return {}

    def batch_get_item(self, RequestItems: Mapping[str, Found]) -> Found:
        ((name, wanted),) = RequestItems.items()
        keys = wanted["Keys"]
        if len(keys) > BATCH_GET:
            raise refusal("batch_get_item", "ValidationException", "Too many items requested for the BatchGetItem call")
        if len({_key(key) for key in keys}) < len(keys):
            raise refusal("batch_get_item", "ValidationException", "Provided list of item keys contains duplicates")
        items = self._table("batch_get_item", name).items
        now, later = keys[: (cut := len(keys) - self.left_out(len(keys)))], keys[cut:]
        names = wanted.get("ExpressionAttributeNames", {}).values()  # of a projection
        there = (items[_key(key)] for key in now if _key(key) in items)
        found = [encode({name: item[name] for name in item if not names or name in names}) for item in there]
        for key in now:
            self.read_in_batch(_key(key), items.get(_key(key)))
        return {
            "Responses": {name: found},
            "UnprocessedKeys": {name: {**wanted, "Keys": later}} if later else {},
        }

    def query(
        self,
        *,
        TableName: str,
        KeyConditionExpression: str,
        ExpressionAttributeNames: Mapping[str, str],
        ExpressionAttributeValues: Found,
        IndexName: str | None = None,
        ConsistentRead: bool = False,
        ScanIndexForward: bool = True,
        Limit: int | None = None,
        Select: str = "ALL_ATTRIBUTES",
        ExclusiveStartKey: Found | None = None,
        FilterExpression: str = "",
    ) -> Found:
        table, values = self._table("query", TableName), decode(ExpressionAttributeValues)
        wanted = [
            (ExpressionAttributeNames[name], operator, values[value])
            for name, operator, value in _key_conditions(KeyConditionExpression)
        ]
        if IndexName:
            listed = table.indexes[IndexName].partition(wanted[0][2], self.now())
        else:
            listed = sorted((key, item) for key, item in table.items.items() if key[0] == wanted[0][2])
        found = [(key, item) for key, item in listed if all(_fits(item, *each) for each in wanted)]
        if not ScanIndexForward:
            found.reverse()
        page = found[: Limit or self.page]
        for key, item in page if ConsistentRead else ():
            self.read_in_batch(key, item)
        answer = _page(found, Limit or self.page, ExclusiveStartKey, Select)
        if not FilterExpression:
            return answer
        conditions = _conditions(FilterExpression, ExpressionAttributeNames, ExpressionAttributeValues)
        items = [item for item in answer["Items"] if all(holds(each, decode(item)) for each in conditions)]
        return {**answer, "Items": items, "Count": len(items)}

    def scan(self, TableName: str, ConsistentRead: bool = False, ExclusiveStartKey: Found | None = None) -> Found:
        return _page(sorted(self._table("scan", TableName).items.items()), self.page, ExclusiveStartKey)

    def _table(self, operation: str, name: str) -> Table:
        if name not in self.tables:
            raise refusal(operation, "ResourceNotFoundException", "Requested resource not found")
        return self.tables[name]

    def _write(self, table: Table, key: Key, item: Found) -> None:
        old = table.items.get(key)
        table.items[key] = item
        self.wrote(key, old, item)
        table.index(key, item, self.now() + self.lag())


def _told(item: Found | None, wanted: str) -> Found:
    """Return what a refusal tells of the item that stood against a write."""
    return {"Item": encode(item)} if item and wanted == "ALL_OLD" else {}


def _key(key: Found) -> Key:
    return key["pk"]["S"], key["sk"]["S"]


def _page(found: list[tuple[Key, Found]], limit: int, start: Found | None, select: str = "ALL_ATTRIBUTES") -> Found:
    """Return a page of what was found; the next one begins after the last key, which may be gone by then."""
    if start:
        keys = [key for key, _ in found]
        found = found[keys.index(_key(start)) + 1 :] if _key(start) in keys else []
    page = found[:limit]
    items = {} if select == "COUNT" else {"Items": [encode(item) for _, item in page]}
    more = {}
    if len(found) > limit:
        names = ("pk", "sk", "listed_at")
        more = {"LastEvaluatedKey": encode({name: page[-1][1][name] for name in names if name in page[-1][1]})}
    return {**items, "Count": len(page), **more}


def _fits(item: Found, name: str, operator: str, value: Any) -> bool:
    match operator:
        case "=":
            return bool(item[name] == value)
        case "<=":
            return bool(item[name] <= value)
        case ">=":
            return bool(item[name] >= value)
        case _:
            return bool(item[name].startswith(value))


@lru_cache(maxsize=500)
def _key_conditions(expression: str) -> tuple[tuple[str, str, str], ...]:
    begins = [(name, "begins_with", value) for name, value in re.findall(r"begins_with\((#\w+), (:\w+)\)", expression)]
    between = re.findall(r"(#\w+) BETWEEN (:\w+) AND (:\w+)", expression)
    ends = [end for name, low, high in between for end in ((name, ">=", low), (name, "<=", high))]
    return (*re.findall(r"(#\w+) (=|<=) (:\w+)", expression), *begins, *ends)


@lru_cache(maxsize=500)
def _update(
    expression: str,
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...], tuple[tuple[str, str], ...], tuple[tuple[str, str, str], ...]]:
    """Return what an UpdateExpression sets, removes, adds and appends, by placeholder."""
    parts = re.split(r"\b(SET|REMOVE|ADD) ", expression)[1:]
    clauses = dict(zip(parts[::2], parts[1::2], strict=True))
    return (
        tuple(re.findall(r"(#\w+) = (:\w+)", clauses.get("SET", ""))),
        tuple(re.findall(r"#\w+", clauses.get("REMOVE", ""))),
        tuple(re.findall(r"(#\w+) (:\w+)", clauses.get("ADD", ""))),
        tuple(re.findall(r"#\w+ = list_append\(if_not_exists\((#\w+), (:\w+)\), (:\w+)\)", clauses.get("SET", ""))),
    )


_TOKEN = re.compile(r"\s*(attribute_exists|attribute_not_exists|contains|AND|OR|IN|<=|<|=|[(),]|#\w+|:\w+)")


def _conditions(expression: str, names: Mapping[str, str], given: Found) -> tuple[Condition, ...]:
    """Return a ConditionExpression as values."""
    if not expression:
        return ()
    values = decode(given)
    return tuple(_bound(each, names, values) for each in _parsed(expression))


@lru_cache(maxsize=500)
def _parsed(expression: str) -> tuple[Any, ...]:
    """Return a ConditionExpression as a tree in which names and values are placeholders."""
    tokens = _TOKEN.findall(expression)
    if "".join(tokens) != re.sub(r"\s", "", expression):
        raise AssertionError(f"not understood: {expression}")
    found = _any_of(tokens)
    if tokens:
        raise AssertionError(f"not understood: {expression} from {tokens}")
    return found[0] if len(found) == 1 else (("any", found),)


def _any_of(tokens: list[str]) -> list[tuple[Any, ...]]:
    groups = [_all_of(tokens)]
    while tokens and tokens[0] == "OR":
        tokens.pop(0)
        groups.append(_all_of(tokens))
    return groups


def _all_of(tokens: list[str]) -> tuple[Any, ...]:
    found = [_atom(tokens)]
    while tokens and tokens[0] == "AND":
        tokens.pop(0)
        found.append(_atom(tokens))
    return tuple(found)


def _atom(tokens: list[str]) -> tuple[Any, ...]:
    first = tokens.pop(0)
    if first == "(":
        groups = _any_of(tokens)
        assert tokens.pop(0) == ")"
        return ("any", groups)
    if first.startswith("attribute"):
        (_, name, _), tokens[:3] = tokens[:3], []
        return (first, name)
    if first == "contains":
        (_, name, _, value, _), tokens[:5] = tokens[:5], []
        return (first, name, value)
    operator = tokens.pop(0)
    if operator != "IN":
        return (operator, first, tokens.pop(0))
    end = tokens.index(")")
    among, tokens[: end + 1] = [each for each in tokens[1:end] if each != ","], []
    return ("IN", first, tuple(among))


_COMPARE = {"=": Equal, "<=": AtMost, "<": Below, "contains": Contains}


def _bound(tree: tuple[Any, ...], names: Mapping[str, str], values: Found) -> Condition:
    match tree:
        case ("any", groups):
            return AnyOf(tuple(tuple(_bound(each, names, values) for each in group) for group in groups))
        case ("attribute_exists", name):
            return Present(names[name])
        case ("attribute_not_exists", name):
            return Absent(names[name])
        case ("IN", name, among):
            return OneOf(names[name], tuple(values[each] for each in among))
        case (operator, name, value):
            return _COMPARE[operator](names[name], values[value])
    raise AssertionError(tree)
