"""What happened to a file, kept with it: each move leaves a note in the file's own item, in the same write.

A view for people, by which nothing is decided. It is bounded: an item may have 400 kB, and each write of it costs by
its size (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html). What a file began with
stays, and what happened last; the middle of a long story goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from typing import Any

NAME = "history"  # the attribute
MOST = 24  # notes of an item, at most; one more is there for the moment until it is shortened
FIRST, LAST = 4, 12  # notes that are left when there are more
MAX_TEXT = 250  # bytes of a text in a note: as many as Airflow's run ids have characters, at most


@dataclass(frozen=True, kw_only=True)
class Note:
    """One thing that happened to a file version; what isn't known, or doesn't apply, is None.

    Attributes:
        at: when, ISO 8601.
        what: what it was, in a word: the state that it came to, `retry`, `redo`, `trouble` or `moved`.
        how: how the file was noticed: `event`, `sweep` or `asked`; or the feed that it was moved to.
        generation: which time it is processed.
        run: Airflow's run.
        round: the run's round.
        attempt: which attempt of the generation.
        job: the Batch job or child.
        code: why it is INVALID or FAILED, in a word.
        who: who asked for it.
        why: the reason that they gave.
    """

    at: str
    what: str
    how: str | None = None
    generation: int | None = None
    run: str | None = None
    round: int | None = None
    attempt: int | None = None
    job: str | None = None
    code: str | None = None
    who: str | None = None
    why: str | None = None


_FIELDS: Mapping[str, type] = {
    each.name: int if each.name in ("generation", "round", "attempt") else str for each in fields(Note)
}


def note(**known: Any) -> dict[str, Any]:
    """Return a note as the ledger keeps it: without what is None or empty, each text cut to 250 bytes."""
    unknown = known.keys() - _FIELDS.keys()
    if unknown:
        raise TypeError(f"a note has no {', '.join(sorted(unknown))}")
    return {name: _cut(value) for name, value in known.items() if value not in (None, "")}


def _cut(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    written = value.encode()
    return value if len(written) <= MAX_TEXT else written[: MAX_TEXT - len("…".encode())].decode(errors="ignore") + "…"


def shortened(notes: Sequence[Any]) -> list[Any] | None:
    """Return what is left of notes that are too many; None where they are not."""
    return [*notes[:FIRST], *notes[-LAST:]] if len(notes) > MOST else None


def read(notes: Sequence[Any] | None) -> list[Note]:
    """Return the notes of an item in their order; what is none is left out, and one that was sent twice is one."""
    return [each for each, _ in groupby(_notes(notes or ()))]


def _notes(notes: Sequence[Any]) -> Iterator[Note]:
    for each in notes:
        if isinstance(each, Mapping):
            known = {name: each[name] for name, kind in _FIELDS.items() if type(each.get(name)) is kind}
            if "at" in known and "what" in known:
                yield Note(**known)
