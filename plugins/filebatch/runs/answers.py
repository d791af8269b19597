"""What a run says of files that it was asked for and doesn't do: done, history, held, or not there.

Nobody who names a file, a day or a prefix is left without a word: either it is done, or here is why not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from filebatch.core.records import DONE as DONE_STATES
from filebatch.core.records import FileRecord, FileState
from filebatch.core.rows import Row
from filebatch.core.wording import quoted
from filebatch.feeds.selection import Selection
from filebatch.intake.listing import Looked

MAX_NAMED = 100  # keys that one message names
DONE, AGAIN = "done", "with force it is done again"


@dataclass(frozen=True)
class Nothing:
    """That a run does nothing, and why."""

    why: str


@dataclass(frozen=True)
class Held:
    """That other runs hold all files of a run, and which."""

    why: str


def without(selection: Selection, others: Sequence[FileRecord]) -> Selection:
    """Return a selection without the named keys of files that the ledger doesn't have as they are asked for."""
    keys = {file.key for file in others}
    return replace(selection, keys=tuple(key for key in selection.keys if key not in keys)) if keys else selection


def nothing(
    selection: Selection, files: Sequence[FileRecord], looked: Looked, others: Sequence[FileRecord] = ()
) -> Nothing:
    """Return why a run has nothing to do; none of the files is taken, and `others` aren't as they are asked for."""
    if selection.everything:
        return Nothing("nothing arrived: no file waits")
    apart = [f"{quoted(file.key)}: it is {file.state}, which isn't asked for" for file in others[:MAX_NAMED]]
    told = left_out(selection, files, looked) if selection.keys or not apart else []
    return Nothing("\n".join([*told, *apart]) or "nothing matched")


def left_out(
    selection: Selection, files: Sequence[FileRecord], looked: Looked, taken: Collection[Row[FileRecord]] = ()
) -> list[str]:
    """Return lines that say which files a run was asked for that it doesn't do, and why; none where it does them all.

    Args:
        selection: what it was asked for.
        files: the ledger's records of these files.
        looked: what was found in the bucket.
        taken: the rows that the run takes.
    """
    if selection.keys:
        return of_keys(selection.keys, files, looked.why, taken)
    counts = Counter(_word(file) for file in files if file.row not in taken)
    others = {word: getattr(looked.no_work, word) for word in ("history", "unmatched", "ignored")}
    told = ", ".join(f"{number} {word}" for word, number in {**counts, **others}.items() if number)
    again = f"; {AGAIN}" if counts[DONE] else ""
    return [f"{told}{again}", *looked.no_work.named] if told else []


def of_keys(
    keys: Iterable[str], files: Iterable[FileRecord], why: Mapping[str, str], taken: Collection[Row[FileRecord]] = ()
) -> list[str]:
    """Return a line for each named key that isn't taken, with the reason; the first MAX_NAMED of them.

    Args:
        keys: the named keys.
        files: the ledger's records of those that it has.
        why: why others are no work.
        taken: the rows that the run takes.
    """
    found = {file.key: file for file in files}
    left = [key for key in keys if key not in found or found[key].row not in taken]
    lines = [f"{quoted(key)}: {_reason(found.get(key), why.get(key))}" for key in left[:MAX_NAMED]]
    return [*lines, f"… and {len(left) - MAX_NAMED} more"] if len(left) > MAX_NAMED else lines


def _reason(file: FileRecord | None, why: str | None) -> str:
    if file is None:
        return why or "nothing matched: it isn't in the bucket"
    if _word(file) == DONE:
        return f"{DONE} ({file.state}); {AGAIN}"
    return f"held by run {file.run_id}" if file.state is FileState.CLAIMED else _word(file)


def _word(file: FileRecord) -> str:
    """Return what a file is that isn't taken."""
    if file.state in DONE_STATES:
        return DONE
    return "held by another run" if file.state is FileState.CLAIMED else f"{file.state} for another run"
