"""What must hold for an item of the ledger before it may move, as values.

`ledger.py` writes them in DynamoDB's language; the table in memory that tests use decides them directly. An attribute
that isn't there fulfils nothing but `Absent`, as in DynamoDB:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Equal:
    """The attribute has this value."""

    name: str
    value: Any


@dataclass(frozen=True)
class OneOf:
    """The attribute has one of these values."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class AtMost:
    """The attribute is this value or less."""

    name: str
    value: Any


@dataclass(frozen=True)
class Below:
    """The attribute is less than this value."""

    name: str
    value: Any


@dataclass(frozen=True)
class Present:
    """The item has the attribute."""

    name: str


@dataclass(frozen=True)
class Absent:
    """The item doesn't have the attribute."""

    name: str


@dataclass(frozen=True)
class Contains:
    """The attribute is a text with this one somewhere in it."""

    name: str
    text: str


@dataclass(frozen=True)
class AnyOf:
    """At least one of several groups of conditions holds whole."""

    groups: tuple[tuple[Condition, ...], ...]


Condition = Equal | OneOf | AtMost | Below | Present | Absent | Contains | AnyOf
