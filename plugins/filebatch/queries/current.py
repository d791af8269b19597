"""A feed's current results: of each key the newest version that has SUCCEEDED, in its newest generation that has.

Older generations and replaced versions stay in the bucket, so that a pattern over `results/FEED/` reads rows twice.
A file that is done again keeps its result as the current one until the next is committed; a newer version that is
INVALID or FAILED leaves the older one current. What is current is kept by `runs/current_results.py`.
"""

from __future__ import annotations

from filebatch.queries import files
from filebatch.queries.files import Wanted
from filebatch.runs import current_results
from filebatch.runs.context import FeedContext
from filebatch.runs.current_results import Line


def outputs(ctx: FeedContext) -> list[Line]:
    """Return the outputs of the current results, in order of their keys: 2 requests, and 1 for each of their parts."""
    return current_results.read(ctx)


def rebuild(ctx: FeedContext) -> int:
    """Have the current results of all keys say what the ledger says; return how many keys that were.

    For results of before they were kept, or where somebody has changed them by hand. It lists all files of the feed,
    and reads a `_result.json` for each key; it may be done at any time, and again.

    Raises:
        ContractError: a result is of a version that this one doesn't read, or isn't one.
    """
    listed = (file.key for page in files.pages(ctx, Wanted(), size=files.MAX_PAGE) for file in page.files)
    keys = {*listed, *(line["key"] for line in outputs(ctx))}
    current_results.update(ctx, sorted(keys))
    return len(keys)
