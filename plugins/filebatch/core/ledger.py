"""The ledger: the only truth of each file's state. One DynamoDB table; every change of state is a conditional update.

    s3://BUCKET/KEY | VERSION   a file version
    run#FEED        | CLAIM     the owner record of one claim of one run
    feed#FEED       | bell      a ring that no claim has answered yet
    feed#FEED       | sweep     until when bucket and ledger were compared
    index `open`                by feed: files that wait, runs that aren't announced; sorted by when they are due

An item is kept as long as its object: an expired item would make an old file look new.
What may move is decided in `states.py`; here it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from filebatch.core.clock import to_iso
from filebatch.core.conditions import Absent, AnyOf, AtMost, Below, Condition, Equal, OneOf, Present
from filebatch.core.contract import FileVersion, Work
from filebatch.core.states import CLAIMED, Key, Move

INDEX = "open"
BATCH_GET = 100  # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
THREADS = 16

Item = Mapping[str, Any]
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Moved:
    """What became of a move: whether it was made, and the item as it is now (None where there is none)."""

    done: bool
    item: Item | None


class Ledger:
    """One ledger table, reached through a DynamoDB client."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self.table = table

    def add(self, item: Item) -> bool:
        """Write an item where there is none; False where there is one already, which stays as it is."""
        try:
            self._client.put_item(TableName=self.table, **put_request(item))
        except ClientError as error:
            if refused(error):
                return False
            raise
        return True

    def move(self, move: Move) -> Moved:
        """Make a move; where its condition doesn't hold nothing changes, and the item that stood against it is told."""
        try:
            answer = self._client.update_item(TableName=self.table, **update_request(move))
        except ClientError as error:
            if refused(error):
                found = error.response.get("Item")
                return Moved(False, decode(found) if found else self.get(move.key))
            raise
        return Moved(True, decode(answer["Attributes"]))

    def move_all(self, moves: Iterable[Move]) -> list[Moved]:
        """Make many moves side by side; the answers come in the moves' order."""
        return side_by_side(self.move, moves)

    def get(self, key: Key) -> Item | None:
        """Read one item, consistently."""
        answer = self._client.get_item(TableName=self.table, Key=key_of(key), ConsistentRead=True)
        return decode(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Read the items there are, consistently, a hundred a call."""
        once = list(dict.fromkeys(keys))  # DynamoDB refuses a key that is asked for twice
        batches = [once[start : start + BATCH_GET] for start in range(0, len(once), BATCH_GET)]
        found = side_by_side(self._get_batch, batches)
        return {(item["pk"], item["sk"]): item for items in found for item in items}

    def remove(self, key: Key) -> None:
        """Delete an item, if it is there."""
        self._client.delete_item(TableName=self.table, Key=key_of(key))

    def open(self, partition: str, *, due: datetime | None = None, limit: int | None = None) -> list[Item]:
        """Read the index: the items of a partition that are due by then (None: all of them), the longest due first."""
        found: list[Item] = []
        for page in self._client.get_paginator("query").paginate(
            TableName=self.table, IndexName=INDEX, **query_request(partition, due), PaginationConfig={"MaxItems": limit}
        ):
            found.extend(decode(item) for item in page["Items"])
        return found

    def count_open(self, partition: str, due: datetime) -> int:
        """Count what is due in a partition of the index."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self.table, IndexName=INDEX, Select="COUNT", **query_request(partition, due)
        )
        return sum(page["Count"] for page in pages)

    def latest_run(self, feed: str, run: str) -> Item | None:
        """Read the owner record of the newest claim whose token begins with `run`."""
        answer = self._client.query(
            TableName=self.table,
            KeyConditionExpression="#pk = :pk AND begins_with(#sk, :run)",
            ExpressionAttributeNames={"#pk": "pk", "#sk": "sk"},
            ExpressionAttributeValues=encode({":pk": f"run#{feed}", ":run": run}),
            ConsistentRead=True,
            ScanIndexForward=False,
            Limit=1,
        )
        return decode(answer["Items"][0]) if answer["Items"] else None

    def scan(self) -> Iterator[Item]:
        """Read every item: for the audit alone."""
        for page in self._client.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True):
            yield from (decode(item) for item in page["Items"])

    def _get_batch(self, keys: Sequence[Key]) -> list[Item]:
        found: list[Item] = []
        wanted = {self.table: {"Keys": [key_of(key) for key in keys], "ConsistentRead": True}}
        while wanted:
            answer = self._client.batch_get_item(RequestItems=wanted)
            found.extend(decode(item) for item in answer["Responses"].get(self.table, []))
            wanted = answer.get("UnprocessedKeys", {})
        return found


def file_of(item: Item) -> FileVersion:
    """Read the file version out of a file's item."""
    return FileVersion(*(item[name] for name in ("bucket", "key", "version_id", "etag", "size", "last_modified")))


def work_of(item: Item) -> Work:
    """Read what a claimed file's item gives a worker to do."""
    return Work(file_of(item), item["file_time"], item["generation"], item["attempts"])


def holds(item: Item | None, claim: str, generation: int) -> bool:
    """Tell whether the ledger says that a file is this claim's, in this generation, and not settled yet."""
    return bool(item and item["state"] == CLAIMED and item.get("claim") == claim and item["generation"] == generation)


def put_request(item: Item) -> dict[str, Any]:
    """Return PutItem's arguments for an item that must be new."""
    return {
        "Item": encode(item),
        "ConditionExpression": "attribute_not_exists(#pk)",
        "ExpressionAttributeNames": {"#pk": "pk"},
    }


def update_request(move: Move) -> dict[str, Any]:
    """Return UpdateItem's arguments for a move."""
    parts = []
    if move.become:
        parts.append("SET " + ", ".join(f"#{name} = :new_{name}" for name in move.become))
    if move.drop:
        parts.append("REMOVE " + ", ".join(f"#{name}" for name in move.drop))
    if move.add:
        parts.append("ADD " + ", ".join(f"#{name} :add_{name}" for name in move.add))
    condition, given = condition_expression(move.conditions)
    names = {*re.findall(r"#(\w+)", condition), *move.become, *move.drop, *move.add}
    values = given | {f":new_{name}": value for name, value in move.become.items()}
    values |= {f":add_{name}": value for name, value in move.add.items()}
    return {
        "Key": key_of(move.key),
        "UpdateExpression": " ".join(parts),
        **({"ConditionExpression": condition} if condition else {}),
        "ExpressionAttributeNames": {f"#{name}": name for name in sorted(names)},
        "ExpressionAttributeValues": encode(values),
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def condition_expression(conditions: Sequence[Condition]) -> tuple[str, dict[str, Any]]:
    """Return conditions in DynamoDB's language, "" for none, and the values of its placeholders: `:if_0`, `:if_1`.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
    """
    values: dict[str, Any] = {}
    return _all_of(conditions, values), values


_OPERATORS: Mapping[type, str] = {Equal: "=", AtMost: "<=", Below: "<"}


def _all_of(conditions: Sequence[Condition], values: dict[str, Any]) -> str:
    return " AND ".join(_rendered(condition, values) for condition in conditions)


def _rendered(condition: Condition, values: dict[str, Any]) -> str:
    def placed(value: Any) -> str:
        name = f":if_{len(values)}"
        values[name] = value
        return name

    match condition:
        case Equal(name, value) | AtMost(name, value) | Below(name, value):
            return f"#{name} {_OPERATORS[type(condition)]} {placed(value)}"
        case OneOf(name, among):
            return f"#{name} IN ({', '.join(placed(value) for value in among)})"
        case Present(name):
            return f"attribute_exists(#{name})"
        case Absent(name):
            return f"attribute_not_exists(#{name})"
        case AnyOf(groups):
            return f"({' OR '.join(f'({_all_of(group, values)})' for group in groups)})"


def query_request(partition: str, due: datetime | None) -> dict[str, Any]:
    """Return Query's arguments for a partition of the index, up to what is due by then."""
    if due is None:
        condition, values = "#open = :open", {":open": partition}
    else:
        condition, values = "#open = :open AND #due_at <= :due", {":open": partition, ":due": to_iso(due)}
    names = re.findall(r"#(\w+)", condition)
    return {
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": {f"#{name}": name for name in names},
        "ExpressionAttributeValues": encode(values),
    }


def encode(item: Mapping[str, Any]) -> dict[str, Any]:
    """Write an item as DynamoDB's typed values."""
    return {name: _SERIALIZE(value) for name, value in item.items()}


def decode(item: Mapping[str, Any]) -> Item:
    """Read an item from DynamoDB's typed values, whole numbers as int."""
    return {name: _plain(_DESERIALIZE(value)) for name, value in item.items()}


def side_by_side(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Call `function` for each item on a few threads; results in order, the first exception is raised."""
    values = list(items)
    if len(values) < 2:
        return [function(value) for value in values]
    with ThreadPoolExecutor(min(THREADS, len(values))) as pool:
        return list(pool.map(function, values))


_SERIALIZE = TypeSerializer().serialize
_DESERIALIZE = TypeDeserializer().deserialize


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


def key_of(key: Key) -> dict[str, Any]:
    """Write a key as DynamoDB's typed values."""
    return encode({"pk": key[0], "sk": key[1]})


def refused(error: ClientError) -> bool:
    """Tell whether DynamoDB refused a write because its condition doesn't hold."""
    return bool(error.response["Error"]["Code"] == "ConditionalCheckFailedException")
