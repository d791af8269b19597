"""A ledger table in memory that behaves: it decides a move's condition as DynamoDB does, and makes it or refuses it.

tests/filebatch/test_fake_table.py holds it to the real server.
"""

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from filebatch.core.conditions import Absent, AnyOf, AtMost, Below, Condition, Equal, OneOf, Present
from filebatch.core.ledger import Item, Moved
from filebatch.core.states import Key, Move

COMPARE = {Equal: operator.eq, AtMost: operator.le, Below: operator.lt}


@dataclass
class FakeTable:
    """What `Ledger` is to the code under test: add, move, get."""

    items: dict[Key, dict[str, Any]] = field(default_factory=dict)

    def add(self, item: Item) -> bool:
        key = (item["pk"], item["sk"])
        if key in self.items:
            return False
        self.items[key] = dict(item)
        return True

    def move(self, move: Move) -> Moved:
        item = self.items.get(move.key)
        if not all(holds(condition, item or {}) for condition in move.conditions):
            return Moved(False, dict(item) if item else None)
        moved = {"pk": move.key[0], "sk": move.key[1], **(item or {}), **move.become}
        for name in move.drop:
            moved.pop(name, None)
        for name, number in move.add.items():
            moved[name] = moved.get(name, 0) + number
        self.items[move.key] = moved
        return Moved(True, dict(moved))

    def get(self, key: Key) -> Item | None:
        return dict(self.items[key]) if key in self.items else None


def holds(condition: Condition, item: Mapping[str, Any]) -> bool:
    """Decide a condition for an item, {} for none."""
    match condition:
        case Equal(name, value) | AtMost(name, value) | Below(name, value):
            return name in item and bool(COMPARE[type(condition)](item[name], value))
        case OneOf(name, among):
            return name in item and item[name] in among
        case Present(name):
            return name in item
        case Absent(name):
            return name not in item
        case AnyOf(groups):
            return any(all(holds(each, item) for each in group) for group in groups)
