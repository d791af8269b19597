"""Where the ledger keeps something, and as what it is read: a row of the table, a partition of its index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

Item = Mapping[str, Any]


class Readable(Protocol):
    """A kind of record: it reads the items of its kind, and names their attributes."""

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Read an item; RecordError where it isn't one of this kind."""

    @classmethod
    def attributes(cls) -> frozenset[str]:
        """Return the names of all attributes that items of this kind may have."""


R = TypeVar("R", bound=Readable)


@dataclass(frozen=True)
class Row(Generic[R]):
    """One row: partition key, sort key, and the kind of record that it holds."""

    kind: type[R]
    pk: str
    sk: str

    @property
    def key(self) -> Mapping[str, str]:
        """The row's key as DynamoDB's attributes."""
        return {"pk": self.pk, "sk": self.sk}


@dataclass(frozen=True)
class Partition(Generic[R]):
    """A partition of the index `open`: what waits for somebody, by when it is due."""

    kind: type[R]
    name: str
