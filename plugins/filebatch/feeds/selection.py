"""Which files a run is responsible for, decided in this one place from how the run came about and what it was told.

a date (backfill, dags test, form, REST)   the files of the window that begins at it
params from, to, prefix, pattern           the files that fit all that is given, and the date if there is one
params keys                                exactly these
nothing of it                              all that waits; unless an event rang, the bucket is swept first

`force` does what is done again; everything can't be done again at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from filebatch.core import clock
from filebatch.core.errors import SelectionError, did_you_mean
from filebatch.feeds import patterns, windows
from filebatch.feeds.feed import Feed
from filebatch.feeds.windows import DAY, Window

# A form that lay open for a while still means now; a date further back means that date.
NOW_IS_WITHIN = timedelta(hours=1)
PARAMS = ("keys", "prefix", "pattern", "from", "to", "force", "wait", "reason")
LONGEST_WAIT = 86_400  # seconds


@dataclass(frozen=True)
class Origin:
    """How a run came about, in Airflow's words; event runs have no date. `zone` is Airflow's own."""

    run_type: str
    logical_date: datetime | None
    run_after: datetime
    zone: tzinfo = UTC


@dataclass(frozen=True)
class Selection:
    """The files of a run.

    Attributes:
        keys: exactly these keys, if any.
        prefix: only keys that begin with it.
        pattern: only keys whose rest after `prefix` it matches as a whole.
        window: only files whose time lies in it.
        force: also files that are done; they are done again as a new generation.
        sweep: compare bucket and ledger first.
        wait: seconds for which keys are waited for that aren't in the bucket.
        reason: why somebody asks for it, in their words; it changes nothing of what is done.
    """

    keys: tuple[str, ...] = ()
    prefix: str = ""
    pattern: str = ""
    window: Window = field(default_factory=Window)
    force: bool = False
    sweep: bool = False
    wait: int = 0
    reason: str = ""

    @property
    def everything(self) -> bool:
        """Whether it is all that waits for the feed."""
        return not (self.keys or self.prefix or self.pattern or self.window != Window())

    def takes(self, key: str, file_time: datetime) -> bool:
        """Tell whether a file is one of these."""
        if self.keys:
            return key in self.keys
        if not key.startswith(self.prefix):
            return False
        if self.pattern and patterns.fullmatch(self.pattern, key[len(self.prefix) :]) is None:
            return False
        return self.window.takes(file_time)

    def __str__(self) -> str:
        """Say it for people: log, skip reason, ledger and documents all have these words."""
        return f"{self._named()}; done ones again" if self.force else self._named()

    def _named(self) -> str:
        if self.everything:
            return "all files that wait"
        if self.keys:
            return f"{len(self.keys)} named file{'s' if len(self.keys) > 1 else ''}"
        span = f" {self.window}" if self.window != Window() else ""
        rest = f" that go on as {self.pattern!r}" if self.pattern else ""
        return f"files{span} under {self.prefix!r}{rest}"


def select(feed: Feed, origin: Origin, params: Mapping[str, Any]) -> Selection:
    """Decide what a run is responsible for.

    Raises:
        SelectionError: a param is unknown, can't be understood, or doesn't go with another; it names the param.
    """
    _check_names(params)
    keys, wait = _keys(feed, params.get("keys")), _seconds(params.get("wait"))
    prefix, pattern = _prefix(feed, params.get("prefix")), _regex(params.get("pattern"))
    window, force = _window(params, _dated(feed, origin)), _flag("force", params.get("force"))
    reason = _words(params.get("reason"))
    some = bool(prefix or pattern or window != Window())
    if keys and some:
        raise SelectionError("keys", "no date, prefix, pattern, from or to beside the keys", list(keys))
    if wait and not keys:
        raise SelectionError("wait", "keys beside it, which are waited for", wait)
    if keys or some:
        return Selection(keys, "" if keys else prefix or feed.prefix, pattern, window, force, wait=wait, reason=reason)
    if force:
        raise SelectionError(
            "force", f"{', '.join(PARAMS[:5])} or a date beside it: everything isn't done again", force
        )
    return Selection(sweep=origin.run_type != "asset_triggered", reason=reason)


def _dated(feed: Feed, origin: Origin) -> Window:
    """Return the window of a run's date; that of a run of now, or of the schedule, is no date that somebody named."""
    if origin.logical_date is None or origin.run_type not in ("backfill", "manual"):
        return Window()
    if origin.run_type == "backfill":
        return windows.of_date(feed.schedule, origin.logical_date)
    if abs(origin.run_after - origin.logical_date) <= NOW_IS_WITHIN:
        return Window()
    return windows.of_date(feed.schedule, windows.as_written(origin.logical_date, origin.zone))


def _check_names(params: Mapping[str, Any]) -> None:
    for name in params:
        if name not in PARAMS:
            meant = did_you_mean(str(name), PARAMS)
            raise SelectionError(str(name), f"one of the params {', '.join(PARAMS)}{meant}", params[name])


def _keys(feed: Feed, given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(key, str) for key in given) or not any(given):
        raise SelectionError("keys", "a list of object keys, at least one; null or nothing where none is meant", given)
    keys = tuple(dict.fromkeys(filter(None, given)))  # the form makes an empty one of a line end
    if len(keys) > feed.packing.claim:
        raise SelectionError("keys", f"at most {feed.packing.claim} keys, as many as a run claims", f"{len(keys)} keys")
    for key in keys:
        if why := feed.mismatch(key):
            raise SelectionError("keys", f"keys of files of the feed; {why}", key)
    return keys


def _text(field: str, given: Any) -> str:
    if given is not None and (not isinstance(given, str) or not given):
        raise SelectionError(field, "text; null or nothing where none is meant", given)
    return given or ""


def _words(given: Any) -> str:
    if given is not None and not isinstance(given, str):
        raise SelectionError("reason", "a sentence; null or nothing where there is none", given)
    return " ".join((given or "").split())


def _prefix(feed: Feed, given: Any) -> str:
    prefix = _text("prefix", given)
    if prefix and not (prefix.startswith(feed.prefix) or feed.prefix.startswith(prefix)):
        raise SelectionError("prefix", f"a prefix under the feed's {feed.prefix!r}", prefix)
    return prefix


def _regex(given: Any) -> str:
    pattern = _text("pattern", given)
    try:
        patterns.check(pattern)
    except ValueError as error:
        raise SelectionError("pattern", str(error), given) from error
    return pattern


def _flag(field: str, given: Any) -> bool:
    if given is not None and not isinstance(given, bool):
        raise SelectionError(field, "true or false", given)
    return bool(given)


def _seconds(given: Any) -> int:
    if given is not None and (type(given) is not int or not 0 <= given <= LONGEST_WAIT):
        raise SelectionError("wait", f"seconds, 0 to {LONGEST_WAIT}", given)
    return given or 0


def _window(params: Mapping[str, Any], dated: Window) -> Window:
    """Return the one window that a run has: that of its date, or that of the params."""
    start, end = _time("from", params.get("from")), _time("to", params.get("to"), whole_day=True)
    if dated != Window() and (start or end):
        field = "from" if start else "to"
        raise SelectionError(field, f"nothing, as the run's date says already: files {dated}", params[field])
    if start and end and start >= end:
        expected = f"a day that isn't before from, or a time that is later ({clock.to_iso(start)})"
        raise SelectionError("to", expected, params["to"])
    return dated if dated != Window() else Window(start, end)


def _time(field: str, given: Any, *, whole_day: bool = False) -> datetime | None:
    """Return a time in UTC; of a date its midnight, or where the whole day is meant the next one."""
    if given is None:
        return None
    try:
        moment = clock.parse_utc(given).astimezone(UTC)
        return moment + DAY if whole_day and _is_date(given) else moment
    except (TypeError, ValueError, OverflowError) as error:
        raise SelectionError(field, "a date or time such as 2026-01-02 or 2026-01-02T03:04:05Z", given) from error


def _is_date(written: str) -> bool:
    try:
        date.fromisoformat(written)
    except ValueError:
        return False
    return True
