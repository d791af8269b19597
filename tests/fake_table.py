"""A ledger table in memory that behaves: it decides a move's condition as DynamoDB does, and makes it or refuses it.

tests/filebatch/test_fake_table.py holds it to the real server.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from filebatch.ledger import Item, Moved
from filebatch.states import Key, Move

TOKEN = re.compile(r"\s*(attribute_not_exists|attribute_exists|AND|OR|IN|<=|[=<(),]|[#:]\w+)")


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
        if not holds(move, item or {}):
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


def holds(move: Move, item: Mapping[str, Any]) -> bool:
    """Decide a move's condition for an item, {} for none."""
    return not move.condition or _Condition(move, item).holds()


class _Condition:
    """A reader of the part of DynamoDB's condition language that moves use: OR binds less than AND."""

    def __init__(self, move: Move, item: Mapping[str, Any]) -> None:
        self._tokens = TOKEN.findall(move.condition)
        assert "".join(self._tokens) == "".join(move.condition.split()), f"not understood: {move.condition}"
        self._given, self._item = move.given, item

    def holds(self) -> bool:
        value = self._either()
        assert not self._tokens, f"left over: {self._tokens}"
        return value

    def _either(self) -> bool:
        value = self._both()
        while self._next_is("OR"):
            value = self._both() or value
        return value

    def _both(self) -> bool:
        value = self._one()
        while self._next_is("AND"):
            value = self._one() and value
        return value

    def _one(self) -> bool:
        word = self._tokens.pop(0)
        if word == "(":
            value = self._either()
            self._expect(")")
            return value
        if word in ("attribute_exists", "attribute_not_exists"):
            self._expect("(")
            there = self._tokens.pop(0)[1:] in self._item
            self._expect(")")
            return there == (word == "attribute_exists")
        return self._compare(word[1:])

    def _compare(self, name: str) -> bool:
        operator = self._tokens.pop(0)
        if operator == "IN":
            self._expect("(")
            values = [self._value()]
            while self._next_is(","):
                values.append(self._value())
            self._expect(")")
            return name in self._item and self._item[name] in values
        other = self._value()
        compare: dict[str, Callable[[Any, Any], bool]] = {
            "=": lambda one, two: one == two,
            "<": lambda one, two: one < two,
            "<=": lambda one, two: one <= two,
        }
        return name in self._item and compare[operator](self._item[name], other)

    def _value(self) -> Any:
        return self._given[self._tokens.pop(0)[1:]]

    def _next_is(self, word: str) -> bool:
        if self._tokens[:1] != [word]:
            return False
        self._tokens.pop(0)
        return True

    def _expect(self, word: str) -> None:
        found = self._tokens.pop(0)
        assert found == word, f"expected {word}, found {found}"
