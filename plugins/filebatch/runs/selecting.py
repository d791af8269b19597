"""From what a run is asked for to the files that it takes: what waits, or what the bucket has of a selection."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.core.rows import Row
from filebatch.feeds.selection import Selection
from filebatch.intake import arrivals, listing
from filebatch.intake.listing import Looked
from filebatch.runs import (
    answers,
    claiming,
    former_names,
    infrastructure,
    listed_files,
    open_items,
    packing,
    plans,
    takeover,
)
from filebatch.runs.answers import Held, Nothing
from filebatch.runs.context import FeedContext
from filebatch.runs.plans import Planned

log = logging.getLogger(__name__)

NO_NOTE: Mapping[str, Any] = MappingProxyType({})


def take_in(ctx: FeedContext, selection: Selection) -> None:
    """Take what events brought; where a sweep is asked for, look for what they didn't, and for what nobody holds.

    Raises:
        ConfigurationError: the feed's queue isn't there.
    """
    with infrastructure.queue_needed(ctx.settings, ctx.feed.name):
        taken = arrivals.drain(ctx.sqs, ctx.s3, ctx.settings.queue(ctx.feed.name), ctx.ledger, ctx.feed)
    log.info("the queue brought %s", taken)
    if selection.sweep:
        found = listing.sweep(ctx.s3, ctx.settings.new_files, ctx.feed, ctx.ledger, ctx.now())
        log.info("the sweep found %s", found)
        former_names.take_over(ctx, found.held_by)
        takeover.free_longest(ctx)


def plan(
    ctx: FeedContext, selection: Selection, earlier: RunRecord | None, note: Mapping[str, Any] = NO_NOTE
) -> list[Planned] | Nothing | Held:
    """Plan the files of a selection; with an earlier claim of the same run its files too, all done again.

    Args:
        ctx: the feed's context.
        selection: what the run is responsible for.
        earlier: the claim that it does again.
        note: what is noted of files that are left to later runs, as a run claims so many only.
    """
    if _is_of_the_ledger(selection) and earlier is None:
        return _plan_listed(ctx, selection, note)
    looked = _look(ctx, selection)
    found = _files(ctx, selection, earlier, looked)
    others = [] if earlier else [file for file in found if not selection.fits(file)]
    files = _freed(ctx, [file for file in found if earlier or selection.fits(file)], selection)
    asked, force = earlier is not None or not selection.everything, earlier is not None or selection.force
    planned = [each for file in files if (each := plans.plan_one(file, asked=asked, force=force))]
    held = _held(files)
    if held and not planned:
        return Held(f"{held}; clear this task when they have ended")
    selection = answers.without(selection, others)
    if not planned:
        return answers.nothing(selection, files, looked, others)
    if held:
        log.warning("%s", held)
    for line in answers.left_out(selection, files, looked, {each.row for each in planned}):
        log.warning("not done: %s", line)
    return _bounded(ctx, planned, {file.row: file.size for file in files}, note)


def _is_of_the_ledger(selection: Selection) -> bool:
    """Tell whether the ledger, and not the bucket, says which files are meant: as they were when the run began."""
    return selection.filtered and not selection.keys


def _plan_listed(ctx: FeedContext, selection: Selection, note: Mapping[str, Any]) -> list[Planned] | Nothing | Held:
    """Plan the files that the ledger says are meant, a page at a time: they may be more than memory holds."""
    taken: list[Planned] = []
    held: set[str] = set()
    counts: Counter[str] = Counter()
    filled = 0
    for page in listed_files.pages(ctx, selection):
        files = _freed(ctx, page, selection)
        planned = [each for file in files if (each := plans.plan_one(file, asked=True, force=selection.force))]
        sizes = {file.row: file.size for file in files}
        room = _room(ctx, planned, sizes, taken=len(taken), filled=filled)
        filled += sum(sizes[each.row] for each in planned[:room])
        taken += planned[:room]
        _leave(ctx, planned[room:], note)
        held |= _holders(files)
        counts.update({"left": len(planned[room:]), "no work": len(files) - len(planned)})
    if not taken:
        return (
            Held(f"held by other runs: {sorted(held)}; clear this task when they have ended") if held else _none(counts)
        )
    log.info("%s files are taken, %s are left for the runs that the bell starts", len(taken), counts["left"])
    return taken


def _none(counts: Mapping[str, int]) -> Nothing:
    done = counts["no work"]
    return Nothing(f"{done} {answers.DONE}; {answers.AGAIN}" if done else "the ledger has no such file")


def holders(ctx: FeedContext, selection: Selection) -> set[str]:
    """Return the ids of the runs that hold files of a selection; none of one that the ledger's states decide."""
    if selection.filtered:
        return set()
    files = listing.selected(ctx.s3, ctx.settings.new_files, ctx.feed, ctx.ledger, selection)
    found = ctx.ledger.get_many([FileRecord.at(file) for file in files])
    return _holders(_freed(ctx, list(found.values()), selection))


def _holders(files: Iterable[FileRecord]) -> set[str]:
    return {file.run_id or "?" for file in files if file.state is FileState.CLAIMED}


def _bounded(
    ctx: FeedContext, planned: list[Planned], sizes: Mapping[Row[FileRecord], int], note: Mapping[str, Any]
) -> list[Planned]:
    """Return as many as a run claims; the others wait for the runs that the bell starts, until all are done."""
    taken = _room(ctx, planned, sizes)
    left = planned[taken:]
    if left:
        _leave(ctx, left, note)
        log.warning("%s of %s files are left for the runs that the bell starts for them", len(left), len(planned))
    return planned[:taken]


def _room(
    ctx: FeedContext, planned: Sequence[Planned], sizes: Mapping[Row[FileRecord], int], taken: int = 0, filled: int = 0
) -> int:
    """Return how many of these files a run takes that has taken so many, and so many bytes."""
    bounds = ctx.feed.packing
    return packing.first(
        planned,
        size=lambda each: sizes[each.row],
        max_bytes=bounds.claim_bytes,
        max_count=bounds.claim - taken,
        filled=filled,
    )


def _leave(ctx: FeedContext, left: Sequence[Planned], note: Mapping[str, Any]) -> None:
    now = ctx.now()
    moves = (move.noted(**note) for each in left if (move := each.waiting(ctx.feed.name, now)))
    ctx.ledger.try_all(moves)


def _look(ctx: FeedContext, selection: Selection) -> Looked:
    """Look at the bucket for what is asked for; what waits is in the ledger already, and what it says of files."""
    if selection.everything or _is_of_the_ledger(selection):
        return Looked()
    return listing.look(ctx.s3, ctx.settings.new_files, ctx.feed, ctx.ledger, selection)


def _files(ctx: FeedContext, selection: Selection, earlier: RunRecord | None, looked: Looked) -> list[FileRecord]:
    if earlier is None:
        return _selected(ctx, selection, looked)
    again = list(ctx.ledger.get_many(claiming.planned_rows(ctx, earlier)).values())
    if selection.everything or _is_of_the_ledger(selection):
        return again
    rows = {file.row for file in again}
    return [*again, *(file for file in _selected(ctx, selection, looked) if file.row not in rows)]


def _selected(ctx: FeedContext, selection: Selection, looked: Looked) -> list[FileRecord]:
    """Return the ledger's records of a selection; files that the ledger hasn't got are recorded on the way."""
    if selection.everything:
        return open_items.waiting_files(ctx, ctx.now(), ctx.feed.packing.claim)
    rows = [FileRecord.at(file) for file in looked.files]
    known = ctx.ledger.get_many(rows)
    fresh = [file for file in looked.files if FileRecord.at(file) not in known]
    if fresh:
        arrivals.record(ctx.ledger, ctx.feed, fresh, ctx.now(), arrivals.ASKED)
        known = ctx.ledger.get_many(rows)
    if any(file.feed != ctx.feed.name for file in known.values()):
        listing.rehome(ctx.ledger, ctx.feed, known.values(), ctx.now())
        known = ctx.ledger.get_many(rows)
    return [known[row] for row in rows if row in known]


def _freed(ctx: FeedContext, files: Sequence[FileRecord], selection: Selection) -> Sequence[FileRecord]:
    """Return the files as they are once those are given back that no claim holds any more.

    Where files are asked for that are held, a claim holds them no longer than its job lasts.
    """
    freed = [*takeover.free(ctx, files), *(takeover.release(ctx, files) if selection.releases else ())]
    if not freed:
        return files
    now = ctx.ledger.get_many([file.row for file in freed])
    return [now.get(file.row, file) for file in files]


def _held(files: Sequence[FileRecord]) -> str:
    """Name the runs that hold some of the files, "" where there are none: what they hold is not nothing."""
    held = [file for file in files if file.state is FileState.CLAIMED]
    return f"{len(held)} files are held by other runs: {sorted({file.run_id or '?' for file in held})}" if held else ""
