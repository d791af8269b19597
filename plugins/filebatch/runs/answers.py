"""What a run says of files that it was asked for and doesn't do: done, history, held, or not there.

Nobody who names a file, a day or a prefix is left without a word: either it is done, or here is why not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from filebatch.core import states
from filebatch.core.ledger import Item
from filebatch.core.wording import quoted
from filebatch.feeds.selection import Selection
from filebatch.intake.listing import Looked

MAX_NAMED = 100  # keys that one message names
DONE, AGAIN = "done", "with force it is done again"


@dataclass(frozen=True)
class Nothing:
    """That a run does nothing, and why."""

    why: str


def nothing(selection: Selection, items: Sequence[Item], looked: Looked) -> Nothing:
    """Return why a run has nothing to do; none of the items is taken."""
    if selection.everything:
        return Nothing("nothing arrived: no file waits")
    return Nothing("\n".join(left_out(selection, items, looked)) or "nothing matched")


def left_out(
    selection: Selection, items: Sequence[Item], looked: Looked, taken: Collection[states.Key] = ()
) -> list[str]:
    """Return lines that say which files a run was asked for that it doesn't do, and why; none where it does them all.

    Args:
        selection: what it was asked for.
        items: the ledger's items of these files.
        looked: what was found in the bucket.
        taken: the items that the run takes.
    """
    if selection.keys:
        return of_keys(selection.keys, items, looked.why, taken)
    counts = Counter(_word(item) for item in items if (item["pk"], item["sk"]) not in taken)
    others = {word: getattr(looked.no_work, word) for word in ("history", "unmatched", "ignored")}
    told = ", ".join(f"{number} {word}" for word, number in {**counts, **others}.items() if number)
    again = f"; {AGAIN}" if counts[DONE] else ""
    return [f"{told}{again}", *looked.no_work.named] if told else []


def of_keys(
    keys: Iterable[str], items: Iterable[Item], why: Mapping[str, str], taken: Collection[states.Key] = ()
) -> list[str]:
    """Return a line for each named key that isn't taken, with the reason; the first MAX_NAMED of them.

    Args:
        keys: the named keys.
        items: the ledger's items of those that it has.
        why: why others are no work.
        taken: the items that the run takes.
    """
    found = {item["key"]: item for item in items}
    left = [key for key in keys if key not in found or (found[key]["pk"], found[key]["sk"]) not in taken]
    lines = [f"{quoted(key)}: {_reason(found.get(key), why.get(key))}" for key in left[:MAX_NAMED]]
    return [*lines, f"… and {len(left) - MAX_NAMED} more"] if len(left) > MAX_NAMED else lines


def _reason(item: Item | None, why: str | None) -> str:
    if item is None:
        return why or "nothing matched: it isn't in the bucket"
    if _word(item) == DONE:
        return f"{DONE} ({item['state']}); {AGAIN}"
    return f"held by run {item['run_id']}" if item["state"] == states.CLAIMED else _word(item)


def _word(item: Item) -> str:
    """Return what a file is that isn't taken."""
    if item["state"] in states.DONE:
        return DONE
    return "held by another run" if item["state"] == states.CLAIMED else f"{item['state']} for another run"
