"""A ledger table in memory that behaves: it decides a move's condition as DynamoDB does, and makes it or refuses it.

tests/filebatch/test_fake_table.py holds it to the real server.
"""

import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from filebatch.core.conditions import Absent, AnyOf, AtMost, Below, Condition, Contains, Equal, OneOf, Present
from filebatch.core.errors import MoveRefused
from filebatch.core.history import shortened
from filebatch.core.ledger import Moved, Page, moved
from filebatch.core.listed import INDEX, Span
from filebatch.core.moves import Move
from filebatch.core.record import Record
from filebatch.core.records import FileRecord, RunRecord
from filebatch.core.rows import Item, Partition, R, Row
from ledger_table import definition, projected, shown

COMPARE = {Equal: operator.eq, AtMost: operator.le, Below: operator.lt}

TABLE = definition()
SHOWN = {index["IndexName"]: shown(TABLE, index) for index in TABLE["GlobalSecondaryIndexes"]}
PAGE_ITEMS = 3_000  # about as many listed files as a page of 1 MB has


@dataclass
class FakeTable:
    """What `Ledger` is to the code under test."""

    items: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def add(self, record: Record) -> bool:
        key = (record.pk, record.sk)
        if key in self.items:
            return self.items[key] == record.to_item()
        self.items[key] = record.to_item()
        return True

    def try_move(self, move: Move[R]) -> Moved[R]:
        key = (move.row.pk, move.row.sk)
        item = self.items.get(key)
        if not self.allows(move):
            return moved(move, dict(item) if item else None)
        became = changed(
            {"pk": move.row.pk, "sk": move.row.sk, **(item or {})}, move.become, move.drop, move.add, move.note
        )
        if left := shortened(became.get("history", ())):
            became["history"] = left
        self.items[key] = became
        return Moved(True, move.row.kind.from_item(became))

    def allows(self, move: Move[Any]) -> bool:
        """Tell whether a move's conditions hold."""
        item = self.items.get((move.row.pk, move.row.sk), {})
        return all(holds(condition, item) for condition in move.conditions)

    def move(self, move: Move[R]) -> R:
        answer = self.try_move(move)
        if not answer.done or answer.record is None:
            raise MoveRefused(move.row.pk)
        return answer.record

    def try_all(self, moves: Iterable[Move[R]]) -> list[Moved[R]]:
        return [self.try_move(move) for move in moves]

    def get(self, row: Row[R]) -> R | None:
        item = self.items.get((row.pk, row.sk))
        return row.kind.from_item(item) if item else None

    def get_many(self, rows: Sequence[Row[R]], without: Collection[str] = ()) -> dict[Row[R], R]:
        found = {row: self.items.get((row.pk, row.sk)) for row in rows}
        left = {row: {name: item[name] for name in item.keys() - set(without)} for row, item in found.items() if item}
        return {row: row.kind.from_item(item) for row, item in left.items()}

    def open(self, partition: Partition[R], *, due: Any = None, limit: int | None = None) -> list[Item]:
        from filebatch.core.clock import to_iso

        found = [item for item in self.items.values() if item.get("open") == partition.name]
        found = [item for item in found if due is None or item["due_at"] <= to_iso(due)]
        return sorted(found, key=lambda item: item["due_at"])[:limit]

    def count_open(self, partition: Partition[R], due: Any, limit: int) -> int:
        return len(self.open(partition, due=due, limit=limit))

    def list_files(
        self, partition: str, span: Span, conditions: Sequence[Condition] = (), *, limit: int, backwards: bool = True
    ) -> Page:
        every = self._listed(partition, span, backwards=backwards)
        looked = [projected(item, SHOWN[INDEX]) for item in every[: min(limit, PAGE_ITEMS)]]
        found = [item for item in looked if all(holds(condition, item) for condition in conditions)]
        return Page(found, looked[-1]["listed_at"] if len(looked) < len(every) else None)

    def count_files(self, partition: str, span: Span, limit: int) -> tuple[int, bool]:
        found, looked = len(self._listed(partition, span)), min(limit, PAGE_ITEMS)
        return min(found, looked), found > looked

    def _listed(self, partition: str, span: Span, *, backwards: bool = False) -> list[dict[str, Any]]:
        found = [item for item in self.items.values() if item.get("listed") == partition]
        found = [item for item in found if span.low <= item["listed_at"] <= span.high]
        return sorted(found, key=lambda item: item["listed_at"], reverse=backwards)

    def versions(self, uri: str, limit: int) -> list[FileRecord]:
        found = [item for (pk, _), item in sorted(self.items.items()) if pk == uri]
        return [FileRecord.from_item(item) for item in found[:limit]]

    def latest_run(self, feed: str, run: str) -> RunRecord | None:
        pk = RunRecord.at(feed, run).pk
        found = [item for (of, sk), item in sorted(self.items.items()) if of == pk and sk.startswith(run)]
        return RunRecord.from_item(found[-1]) if found else None


def changed(
    item: Item, become: Item, drop: Iterable[str], add: Mapping[str, int], note: Item | None = None
) -> dict[str, Any]:
    """Return an item as an update leaves it."""
    new = {**item, **become}
    for name in drop:
        new.pop(name, None)
    for name, number in add.items():
        new[name] = new.get(name, 0) + number
    if note:
        new["history"] = [*new.get("history", ()), dict(note)]
    return new


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
        case Contains(name, text):
            return name in item and text in item[name]
        case AnyOf(groups):
            return any(all(holds(each, item) for each in group) for group in groups)
