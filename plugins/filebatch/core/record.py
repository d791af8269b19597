"""A record of the ledger: how items of DynamoDB are read as typed values, and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from enum import StrEnum
from typing import Any, Self, get_args, get_origin, get_type_hints

from filebatch.core.contract import Reason
from filebatch.core.errors import RecordError
from filebatch.core.rows import Item, Row


@dataclass(frozen=True, kw_only=True)
class Record:
    """What all records have: their key, and what this version doesn't know of them."""

    pk: str
    sk: str
    more: Item = field(default_factory=dict)

    @property
    def row(self) -> Row[Self]:
        """The row that holds it."""
        return Row(type(self), self.pk, self.sk)

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Read an item; RecordError where an attribute is missing, or is no value of its type."""
        kinds = _kinds(cls).items()
        known = {name: _read(item, name, kind) for name, kind in kinds if item.get(name) is not None}
        missing = sorted(cls.needed() - known.keys())
        if missing:
            raise RecordError(f"{_name(item)}: expected {', '.join(missing)}; not there")
        return cls(**known, more={name: value for name, value in item.items() if name not in cls.attributes()})

    @classmethod
    def attributes(cls) -> frozenset[str]:
        """Return the names of the attributes that this version knows."""
        return frozenset(_kinds(cls))

    @classmethod
    def needed(cls) -> frozenset[str]:
        """Return the attributes that every item of this kind has from its first write on."""
        return frozenset(each.name for each in fields(cls) if each.name in _kinds(cls) and not _has_default(each))

    def to_item(self) -> dict[str, Any]:
        """Write it as an item: what is None isn't there."""
        values = {name: getattr(self, name) for name in _kinds(type(self))}
        return {**self.more, **{name: _written(value) for name, value in values.items() if value is not None}}


def _name(item: Item) -> str:
    return f"the ledger's item {item.get('pk')!r} {item.get('sk')!r}"


def _has_default(each: Field[Any]) -> bool:
    return each.default is not MISSING or each.default_factory is not MISSING


_KINDS: dict[str, Mapping[str, Any]] = {}


def _kinds(cls: type[Record]) -> Mapping[str, Any]:
    """Return the type of each attribute of a kind's items, without None; worked out once a kind."""
    if cls.__name__ not in _KINDS:
        hints = get_type_hints(cls)
        names = [each.name for each in fields(cls) if each.name != "more"]
        _KINDS[cls.__name__] = {name: _without_none(hints[name]) for name in names}
    return _KINDS[cls.__name__]


def _without_none(hint: Any) -> Any:
    given = [each for each in get_args(hint) if each is not type(None)]
    return given[0] if len(given) == 1 else hint


def _read(item: Item, name: str, kind: Any) -> Any:
    """Return an attribute's value as its type has it."""
    value = item[name]
    try:
        if kind is Reason:
            return Reason(str(value["code"]), str(value["message"]))
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return kind(value)
        if kind in (str, int, bool):
            return _exactly(kind, value)
        if get_origin(kind) is list:
            return _exactly(list, value)
        return {str(each): _exactly(int, number) for each, number in value.items()}
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RecordError(f"{_name(item)}: {name}: expected {_said(kind)}, found {value!r:.100}") from error


def _exactly(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError
    return value


def _said(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else "a list" if get_origin(kind) is list else "numbers by name"


def _written(value: Any) -> Any:
    if isinstance(value, Reason):
        return {"code": value.code, "message": value.message}
    return str(value) if isinstance(value, StrEnum) else value
