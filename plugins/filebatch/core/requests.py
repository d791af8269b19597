"""The ledger's requests in DynamoDB's language, as values: the same for boto3 and for aiobotocore.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from filebatch.core import history, listed
from filebatch.core.clock import to_iso
from filebatch.core.conditions import Absent, AnyOf, AtMost, Below, Condition, Contains, Equal, OneOf, Present
from filebatch.core.listed import Span
from filebatch.core.moves import Move
from filebatch.core.rows import Item, Row

INDEX = "open"


def put(item: Item) -> dict[str, Any]:
    """Return PutItem's arguments for an item that must be new."""
    return {
        "Item": encode(item),
        "ConditionExpression": "attribute_not_exists(#pk)",
        "ExpressionAttributeNames": {"#pk": "pk"},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def update(move: Move[Any]) -> dict[str, Any]:
    """Return UpdateItem's arguments for a move."""
    parts = []
    if sets := [*(f"#{name} = :new_{name}" for name in move.become), *([_APPEND] if move.note else [])]:
        parts.append("SET " + ", ".join(sets))
    if move.drop:
        parts.append("REMOVE " + ", ".join(f"#{name}" for name in move.drop))
    if move.add:
        parts.append("ADD " + ", ".join(f"#{name} :add_{name}" for name in move.add))
    condition, given = condition_expression(move.conditions)
    names = {*re.findall(r"#(\w+)", condition), *move.become, *move.drop, *move.add}
    values = given | {f":new_{name}": value for name, value in move.become.items()}
    values |= {f":add_{name}": value for name, value in move.add.items()}
    if move.note:
        names, values = {*names, history.NAME}, values | {":notes": [], ":note": [dict(move.note)]}
    return {
        "Key": encode(move.row.key),
        "UpdateExpression": " ".join(parts),
        **({"ConditionExpression": condition} if condition else {}),
        "ExpressionAttributeNames": {f"#{name}": name for name in sorted(names)},
        "ExpressionAttributeValues": encode(values),
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


# An item that was written before there were notes gets its first one by this.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
_APPEND = f"#{history.NAME} = list_append(if_not_exists(#{history.NAME}, :notes), :note)"


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
        case Contains(name, text):
            return f"contains(#{name}, {placed(text)})"
        case AnyOf(groups):
            return f"({' OR '.join(f'({_all_of(group, values)})' for group in groups)})"


def query(partition: str, due: datetime | None) -> dict[str, Any]:
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


def projection(names: Collection[str]) -> dict[str, Any]:
    """Return the arguments by which a read brings some attributes alone."""
    return {
        "ProjectionExpression": ", ".join(f"#{name}" for name in sorted(names)),
        "ExpressionAttributeNames": {f"#{name}": name for name in sorted(names)},
    }


def versions(uri: str) -> dict[str, Any]:
    """Return Query's arguments for all versions of a file."""
    return {
        "KeyConditionExpression": "#pk = :pk",
        "ExpressionAttributeNames": {"#pk": "pk"},
        "ExpressionAttributeValues": encode({":pk": uri}),
        "ConsistentRead": True,
    }


def latest(row: Row[Any]) -> dict[str, Any]:
    """Return Query's arguments for the last row of a partition whose sort key begins with that of `row`."""
    return {
        "KeyConditionExpression": "#pk = :pk AND begins_with(#sk, :sk)",
        "ExpressionAttributeNames": {"#pk": "pk", "#sk": "sk"},
        "ExpressionAttributeValues": encode({":pk": row.pk, ":sk": row.sk}),
        "ConsistentRead": True,
        "ScanIndexForward": False,
        "Limit": 1,
    }


def listing(partition: str, span: Span, conditions: Sequence[Condition]) -> dict[str, Any]:
    """Return Query's arguments for a stretch of the index `listed`, of the files that fulfil conditions."""
    condition, given = condition_expression(conditions)
    names = sorted({"listed", "listed_at", *re.findall(r"#(\w+)", condition)})
    return {
        "IndexName": listed.INDEX,
        "KeyConditionExpression": "#listed = :listed AND #listed_at BETWEEN :low AND :high",
        **({"FilterExpression": condition} if condition else {}),
        "ExpressionAttributeNames": {f"#{name}": name for name in names},
        "ExpressionAttributeValues": encode({":listed": partition, ":low": span.low, ":high": span.high, **given}),
    }


def encode(item: Mapping[str, Any]) -> dict[str, Any]:
    """Write an item as DynamoDB's typed values."""
    return {name: _SERIALIZE(value) for name, value in item.items()}


def decode(item: Mapping[str, Any]) -> Item:
    """Read an item from DynamoDB's typed values, whole numbers as int."""
    return {name: _plain(_DESERIALIZE(value)) for name, value in item.items()}


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


def refused(error: ClientError) -> bool:
    """Tell whether DynamoDB refused a write because its condition doesn't hold."""
    return bool(error.response["Error"]["Code"] == "ConditionalCheckFailedException")
