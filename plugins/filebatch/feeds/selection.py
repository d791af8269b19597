"""Which files a run is responsible for, decided in this one place from how the run came about and what it was told.

told by params (form, REST API, conf)      exactly those keys, or what matches prefix, pattern, from and to
a backfill run, or a date in the past      the files of its data interval as Airflow gives it, nothing else
everything else                            all that waits for the feed; unless an event rang, the bucket is swept first
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from filebatch.core import clock
from filebatch.core.errors import SelectionError
from filebatch.feeds import patterns
from filebatch.feeds.feed import Feed

# A form that lay open for a while still means now; a date further back means that date.
NOW_IS_WITHIN = timedelta(hours=1)


@dataclass(frozen=True)
class Origin:
    """How a run came about, in Airflow's words; times may be missing in event runs."""

    run_type: str
    logical_date: datetime | None
    run_after: datetime
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class Selection:
    """The files of a run.

    Attributes:
        keys: exactly these keys, if any.
        prefix: only keys that begin with it.
        pattern: only keys whose rest after `prefix` it matches as a whole.
        start: only files whose time is not earlier.
        end: only files whose time is earlier.
        force: also files that are done; they are done again as a new generation.
        sweep: compare bucket and ledger first.
    """

    keys: tuple[str, ...] = ()
    prefix: str = ""
    pattern: str = ""
    start: datetime | None = None
    end: datetime | None = None
    force: bool = False
    sweep: bool = False

    @property
    def everything(self) -> bool:
        """Whether it is all that waits for the feed."""
        return not (self.keys or self.prefix or self.pattern or self.start or self.end or self.force)

    def takes(self, key: str, file_time: datetime) -> bool:
        """Tell whether a file is one of these."""
        if self.keys:
            return key in self.keys
        if not key.startswith(self.prefix):
            return False
        if self.pattern and patterns.fullmatch(self.pattern, key[len(self.prefix) :]) is None:
            return False
        return not (self.start and file_time < self.start) and not (self.end and file_time >= self.end)

    def __str__(self) -> str:
        """Say it for people."""
        if self.everything:
            return "all that waits"
        span = " ".join(
            f"{word} {clock.to_iso(time)}"
            for word, time in (("from", self.start), ("to", self.end))
            if time is not None
        )
        named = (
            f"{len(self.keys)} named keys" if self.keys else f"files {self.prefix!r} {self.pattern!r} {span}".strip()
        )
        return f"{named}, done ones again" if self.force else named


def select(feed: Feed, origin: Origin, params: Mapping[str, Any]) -> Selection:
    """Decide what a run is responsible for.

    Raises:
        SelectionError: a param can't be understood; it names the param.
    """
    told = _told(feed, params)
    if told:
        return told
    if origin.run_type == "backfill" or (origin.run_type == "manual" and _is_past(origin)):
        return Selection(prefix=feed.prefix, start=origin.start, end=origin.end)
    return Selection(sweep=origin.run_type != "asset_triggered")


def _is_past(origin: Origin) -> bool:
    return origin.logical_date is not None and origin.run_after - origin.logical_date > NOW_IS_WITHIN


def _told(feed: Feed, params: Mapping[str, Any]) -> Selection | None:
    keys = _keys(feed, params.get("keys") or [])
    prefix = _text("prefix", params.get("prefix"))
    pattern = _regex(params.get("pattern"))
    start, end = _time("from", params.get("from")), _time("to", params.get("to"))
    force = params.get("force") or False
    if not isinstance(force, bool):
        raise SelectionError("force", "true or false", force)
    if not (keys or prefix or pattern or start or end):
        if force:
            raise SelectionError(
                "force", "keys, prefix, pattern, from or to beside it, so that not everything is done again", force
            )
        return None
    if keys and (prefix or pattern or start or end):
        raise SelectionError("keys", "either keys, or prefix, pattern, from and to", list(keys))
    if prefix and not (prefix.startswith(feed.prefix) or feed.prefix.startswith(prefix)):
        raise SelectionError("prefix", f"a prefix under the feed's {feed.prefix!r}", prefix)
    if start and end and start >= end:
        raise SelectionError("to", f"a time later than from ({clock.to_iso(start)})", params.get("to"))
    return Selection(keys, "" if keys else prefix or feed.prefix, pattern, start, end, force)


def _keys(feed: Feed, given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(key, str) and key for key in given):
        raise SelectionError("keys", "a list of object keys", given)
    for key in given:
        if not feed.matches(key):
            raise SelectionError(
                "keys", f"keys under {feed.prefix!r} that match the feed's pattern {feed.pattern!r}", key
            )
    return tuple(dict.fromkeys(given))


def _text(field: str, given: Any) -> str:
    if given is not None and not isinstance(given, str):
        raise SelectionError(field, "text", given)
    return given or ""


def _regex(given: Any) -> str:
    pattern = _text("pattern", given)
    try:
        patterns.check(pattern)
    except ValueError as error:
        raise SelectionError("pattern", str(error), given) from error
    return pattern


def _time(field: str, given: Any) -> datetime | None:
    if given in (None, ""):
        return None
    try:
        return clock.parse_utc(given).astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise SelectionError(field, "a date or time such as 2026-01-02 or 2026-01-02T03:04:05Z", given) from error
