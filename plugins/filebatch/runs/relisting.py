"""Brings every file into the index `listed`: those that came before it, or that a version without it has moved."""

from __future__ import annotations

from itertools import islice

from filebatch.core import file_moves, listed
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord

AT_ONCE = 1000  # files that are held in memory


def relist(ledger: Ledger) -> int:
    """List the files that aren't, or not in their state; return how many there were. Reads the whole ledger.

    It may be done at any time and again: a file that moves meanwhile gets its place by that very move.
    """
    files = (record for record in ledger.scan() if isinstance(record, FileRecord))
    left = (file_moves.relist(file) for file in files if not is_listed(file))
    listed_now = 0
    while moves := list(islice(left, AT_ONCE)):
        listed_now += sum(each.done for each in ledger.try_all(moves))
    return listed_now


def is_listed(file: FileRecord) -> bool:
    """Tell whether a file has its place in the index."""
    span = listed.span(file.state)
    return file.listed == listed.partition(file.feed, file.row) and span.low <= (file.listed_at or "") < span.high
