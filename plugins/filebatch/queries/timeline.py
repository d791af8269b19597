"""What happened to a key's versions and when, in plain words: from the notes that each move left, and S3's dates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from filebatch.core import history
from filebatch.core.history import Note
from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.core.wording import visible

SHOWN_VERSIONS = 20
# A feed may notify nobody, and then nobody was told.
ANNOUNCED = "announced: those whom the feed notifies were told what became of the run's files"
_NOTICED = {"event": "its event came", "sweep": "a sweep found it", "asked": "somebody asked for it"}


@dataclass(frozen=True)
class Event:
    """One thing that happened: when (ISO 8601), what, and Airflow's run that did it, None where none did."""

    at: str
    what: str
    run_id: str | None = None


def of(records: Sequence[FileRecord], run: RunRecord | None = None) -> list[Event]:
    """Return what happened to the versions of a key, the last thing first; `run` is the last that had it."""
    found = [event for file in records[:SHOWN_VERSIONS] for event in _events(file)]
    if run and run.notified_at:
        found.append(Event(run.notified_at, ANNOUNCED, run.run_id))
    return sorted(found, key=lambda event: event.at)[::-1]


def _events(file: FileRecord) -> Iterator[Event]:
    yield Event(file.last_modified, f"S3 has {file.size:,} bytes, version {file.version_id}")
    notes = history.read(file.history)
    if not notes or notes[0].what != FileState.ARRIVED or notes[0].at > file.arrived_at:
        yield Event(file.arrived_at, "written to the ledger")
    yield from _without_notes(file) if not notes else map(_told, notes)


def _without_notes(file: FileRecord) -> Iterator[Event]:
    """Yield what an item tells that was last moved by a version that left no notes."""
    if file.claimed_at:
        yield Event(file.claimed_at, f"claimed, generation {file.generation}, attempt {file.attempts}", file.run_id)
    if file.settled_at and file.state is not FileState.CLAIMED:
        yield Event(file.settled_at, str(file.state), file.run_id)


def _told(note: Note) -> Event:
    details = ", ".join(_details(note))
    asked = f"; asked for{f' by {note.who}' if note.who else ''}" if note.who or note.why else ""
    why = f": {note.why}" if note.why else ""
    return Event(note.at, visible(f"{_word(note)}{f' ({details})' if details else ''}{asked}{why}"), note.run)


_WORDS = {
    FileState.CLAIMED: "claimed",
    "retry": "waits to be tried again",
    "redo": "waits to be done again",
    "forgotten": "erased",
    "trouble": "met with {code}",
    "moved": "is feed {how}'s from now on",
}


def _word(note: Note) -> str:
    if note.what == FileState.ARRIVED:
        return "given back: it waits again" if note.run or note.generation else _arrived(note)
    otherwise = "{what}: {code}" if note.code else "{what}"
    return _WORDS.get(note.what, otherwise).format(what=note.what, code=note.code, how=note.how)


def _arrived(note: Note) -> str:
    noticed = _NOTICED.get(note.how or "")
    return f"written to the ledger: {noticed}" if noticed else "written to the ledger"


def _details(note: Note) -> Iterator[str]:
    for name in ("generation", "round", "attempt", "job"):
        value = getattr(note, name)
        if value is not None:
            yield f"{name} {value}"
