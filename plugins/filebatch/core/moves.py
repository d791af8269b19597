"""A change of the ledger as a value: which row, under which conditions, and what it becomes.

    file: ARRIVED ──claim──▶ CLAIMED ──▶ SUCCEEDED | INVALID | FAILED
             ▲                  │                                │
             └─────release──────┘        claim (attempts left) ◀─┘    redo: any settled state ─▶ CLAIMED, generation + 1

    run:  PLANNED ─▶ CLAIMED ─▶ (a round's job) ─▶ SETTLED ─▶ ANNOUNCED

`file_moves.py`, `run_moves.py` and `feed_moves.py` make moves, `ledger.py` sends them. DynamoDB decides each
atomically, so that of any two movers one wins and the other is told. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self

from filebatch.core import history
from filebatch.core.conditions import Condition
from filebatch.core.rows import Item, R, Row


@dataclass(frozen=True)
class Move(Generic[R]):
    """One conditional update.

    Attributes:
        row: which item.
        conditions: all of which must hold for the item as it is; none for a move that is always made.
        become: attributes that get a value.
        drop: attributes that go.
        add: numbers that are added to attributes.
        note: what is appended to the item's history (`history.py`); None for a move that leaves no note.
    """

    row: Row[R]
    conditions: tuple[Condition, ...]
    become: Mapping[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    add: Mapping[str, int] = field(default_factory=dict)
    note: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse an attribute that its kind of record doesn't have: TypeError."""
        noted = () if self.note is None else (history.NAME,)
        unknown = {*self.become, *self.drop, *self.add, *noted} - self.row.kind.attributes()
        if unknown:
            raise TypeError(f"{self.row.kind.__name__} has no attribute {', '.join(sorted(unknown))}")

    def noted(self, **known: Any) -> Self:
        """Return the move with more in its note; TypeError where a note has no such field."""
        return replace(self, note={**(self.note or {}), **history.note(**known)})

    def is_made(self, item: Item) -> bool:
        """Tell whether an item is as this move would leave it: the move was made, and its answer was lost.

        A request that is sent again after its answer was lost is refused: the first one has changed the item.
        """
        became = all(item.get(name) == value for name, value in self.become.items())
        return bool(self.become) and became and not any(name in item for name in self.drop)
