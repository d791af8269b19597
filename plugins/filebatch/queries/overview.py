"""How feeds are doing, for people: files by state, since when the oldest waits, when the last one came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product

from filebatch.core import listed
from filebatch.core.feed_records import Arrival
from filebatch.core.records import SETTLED_STATES, FileState
from filebatch.runs import breaker, open_items
from filebatch.runs.context import FeedContext

HOUR = timedelta(hours=1)
MAX_COUNTED = 10_000  # files of a state; counting reads what it counts


@dataclass(frozen=True)
class Count:
    """How many files were counted, and whether there are more."""

    number: int
    more: bool = False

    def __str__(self) -> str:
        """Say it for people: `10,000+` where there are more than were counted."""
        return f"{self.number:,}+" if self.more else f"{self.number:,}"


@dataclass(frozen=True)
class Overview:
    """A feed as it is now.

    Attributes:
        feed: its name.
        counts: files by state.
        oldest_waiting: when the file arrived that has been due for a run the longest, ISO 8601; None where none is due.
        last_arrival: when the last file came, ISO 8601.
        last_hour: files that came to rest within the last hour, by state.
        held: why its circuit breaker lets no run claim what waits, None where it doesn't.
    """

    feed: str
    counts: Mapping[FileState, Count]
    oldest_waiting: str | None
    last_arrival: str | None
    held: str | None = None
    last_hour: Mapping[FileState, Count] = field(default_factory=dict)

    @property
    def failure_rate(self) -> float | None:
        """Which share of the last hour's files FAILED, 0 to 1; None where none came to rest."""
        settled = sum(each.number for each in self.last_hour.values())
        return self.last_hour[FileState.FAILED].number / settled if settled else None


def of_feed(ctx: FeedContext) -> Overview:
    """Return how a feed is doing; 35 requests, whatever the number of its files."""
    oldest = open_items.waiting_files(ctx, ctx.now(), limit=1)
    arrival = ctx.ledger.get(Arrival.at(ctx.feed.name))
    return Overview(
        ctx.feed.name,
        counts(ctx),
        oldest[0].arrived_at if oldest else None,
        arrival.arrived_at if arrival else None,
        held(ctx),
        counts(ctx, SETTLED_STATES, ctx.now() - HOUR),
    )


def held(ctx: FeedContext) -> str | None:
    """Say why a feed's circuit breaker lets no run claim what waits; None where it doesn't. 1 request."""
    seen = breaker.read(ctx)
    return breaker.why(seen) if seen and seen.held_until else None


def counts(
    ctx: FeedContext, states: Sequence[FileState] = tuple(FileState), since: datetime | None = None
) -> dict[FileState, Count]:
    """Count a feed's files by state, up to 10,000 of each, all or those in it since then; 4 requests a state, so 20."""

    def count(each: tuple[FileState, str]) -> tuple[int, bool]:
        state, partition = each
        return ctx.ledger.count_files(partition, listed.span(state, since), MAX_COUNTED + 1)

    asked = list(product(states, listed.partitions(ctx.feed.name)))
    answers = dict(zip(asked, ctx.side_by_side(count, asked), strict=True))
    return {
        state: _sum([answers[state, partition] for partition in listed.partitions(ctx.feed.name)]) for state in states
    }


def _sum(counted: list[tuple[int, bool]]) -> Count:
    number, more = sum(each for each, _ in counted), any(more for _, more in counted)
    return Count(MAX_COUNTED, more=True) if number > MAX_COUNTED else Count(number, more)
