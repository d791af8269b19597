"""What a feed, as its file is now, would make of what lies in the bucket: before it is deployed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from filebatch.core.wording import quoted
from filebatch.feeds import standing
from filebatch.feeds.standing import Standing
from filebatch.intake import listing
from filebatch.runs.context import FeedContext

NAMED = 10  # files of each kind


@dataclass
class Checked:
    """What lies under a feed's prefix.

    Attributes:
        counts: files by what they are to the feed: work, or why they are not.
        bytes: of the files that are work.
        first: the earliest time that a file is about which is work, ISO 8601; None where there is none.
        last: the latest.
        named: some files of each kind that is no work, each with the reason.
    """

    counts: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    first: str | None = None
    last: str | None = None
    named: dict[str, list[str]] = field(default_factory=dict)


def check(ctx: FeedContext) -> Checked:
    """Look at the current version of each key under the feed's prefix; a request a thousand versions."""
    checked = Checked()
    for file in listing.versions(ctx.s3, ctx.settings.new_files, ctx.feed.prefix, latest=True):
        found = standing.of(ctx.feed, file)
        checked.counts[found.value] = checked.counts.get(found.value, 0) + 1
        if found is Standing.WORK:
            time = standing.time_of(ctx.feed, file).isoformat()
            checked.bytes += file.size
            checked.first, checked.last = min(checked.first or time, time), max(checked.last or time, time)
        elif len(named := checked.named.setdefault(found.value, [])) < NAMED:
            named.append(f"{quoted(file.key)}: {standing.why(ctx.feed, file)}")
    return checked


def lines(counts: Mapping[str, int], named: Mapping[str, Sequence[str]]) -> list[str]:
    """Say it for people."""
    told = [f"{kind}: {counts.get(kind, 0):,}" for kind in (each.value for each in Standing)]
    return [*told, *(f"{kind}: {each}" for kind, found in named.items() for each in found)]
