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
from filebatch.runs.context import Desk

log = logging.getLogger(__name__)

OF_EACH_FILE = frozenset(states.FILE_ATTRIBUTES)
OF_EACH_RUN = frozenset(states.RUN_ATTRIBUTES)


def waiting_files(desk: Desk, due: datetime, limit: int) -> list[Item]:
    """Return at most `limit` of the feed's files that wait and are due by then, the longest due first."""
    found = desk.ledger.open(states.open_files(desk.feed.name), due=due, limit=limit)
    return _own(desk, found, lambda item: _is_file(desk, item))


def open_runs(desk: Desk) -> list[Item]:
    """Return the owner records of the feed's runs that aren't announced yet."""
    partition, _ = states.run_key(desk.feed.name, "")
    found = desk.ledger.open(states.open_runs(desk.feed.name))
    return _own(desk, found, lambda item: item["pk"] == partition and item.keys() >= OF_EACH_RUN)


def _is_file(desk: Desk, item: Item) -> bool:
    if not item.keys() >= OF_EACH_FILE or item["bucket"] != desk.settings.new_files:
        return False
    return item["pk"] == f"s3://{item['bucket']}/{item['key']}" and desk.feed.covers(item["key"])


def _own(desk: Desk, found: Iterable[Item], is_own: Callable[[Item], bool]) -> list[Item]:
    own: list[Item] = []
    others: list[Item] = []
    for item in found:
        (own if is_own(item) else others).append(item)
    if others:
        told = "feed %s: %s items of the ledger are open for it and not its own, such as %r"
        log.error(told, desk.feed.name, len(others), others[0]["pk"])
    return own
