"""What the ledger's index says is open for a feed: its own files and runs, and nothing that another's worker put there.

A feed's worker may write its own feed's items, with any attributes: IAM limits the table's key and not the index's
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html). So an item of the index
counts for a feed only if its key says so too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from filebatch.core import states
from filebatch.core.ledger import Item
from filebatch.runs.context import FeedContext

log = logging.getLogger(__name__)

OF_EACH_FILE = frozenset(states.FILE_ATTRIBUTES)
OF_EACH_RUN = frozenset(states.RUN_ATTRIBUTES)


def waiting_files(ctx: FeedContext, due: datetime, limit: int) -> list[Item]:
    """Return at most `limit` of the feed's files that wait and are due by then, the longest due first."""
    found = ctx.ledger.open(states.open_files(ctx.feed.name), due=due, limit=limit)
    return _own(ctx, found, lambda item: _is_file(ctx, item))


def open_runs(ctx: FeedContext) -> list[Item]:
    """Return the owner records of the feed's runs that aren't announced yet."""
    partition, _ = states.run_key(ctx.feed.name, "")
    found = ctx.ledger.open(states.open_runs(ctx.feed.name))
    return _own(ctx, found, lambda item: item["pk"] == partition and item.keys() >= OF_EACH_RUN)


def _is_file(ctx: FeedContext, item: Item) -> bool:
    if not item.keys() >= OF_EACH_FILE or item["bucket"] != ctx.settings.new_files:
        return False
    return item["pk"] == f"s3://{item['bucket']}/{item['key']}" and ctx.feed.covers(item["key"])


def _own(ctx: FeedContext, found: Iterable[Item], is_own: Callable[[Item], bool]) -> list[Item]:
    own: list[Item] = []
    others: list[Item] = []
    for item in found:
        (own if is_own(item) else others).append(item)
    if others:
        told = "feed %s: %s items of the ledger are open for it and not its own, such as %r"
        log.error(told, ctx.feed.name, len(others), others[0]["pk"])
    return own
