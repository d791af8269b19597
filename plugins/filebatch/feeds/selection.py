"""Which files a run is responsible for, decided in this one place from how the run came about and what it was told.

a date (backfill, dags test, form, REST)   the files of the window that begins at it
params from, to, prefix, pattern           the files that fit all that is given, and the date if there is one
params state, code, since                  of these the files that the ledger has so, whatever their number; alone too
params keys                                exactly these
nothing of it                              all that waits; unless an event rang, the bucket is swept first

`force` does what is done again; everything can't be done again at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from filebatch.core import clock, listed
from filebatch.core.errors import SelectionError, did_you_mean
from filebatch.core.records import FileRecord, FileState
from filebatch.feeds import patterns, windows
from filebatch.feeds.feed import Feed
from filebatch.feeds.windows import DAY, Window

# A form that lay open for a while still means now; a date further back means that date.
NOW_IS_WITHIN = timedelta(hours=1)
FILTERS = ("keys", "prefix", "pattern", "from", "to", "state", "code", "since")
PARAMS = (*FILTERS, "force", "wait", "reason")
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
        state: only files that the ledger has in this state. CLAIMED ones are given back where their job has ended.
        code: only files that are INVALID or FAILED for this reason.
        since: only files that have been in their state since this moment or later.
        force: also files that are done; they are done again as a new generation.
        sweep: compare bucket and ledger first.
        wait: seconds for which keys are waited for that aren't in the bucket.
        reason: why somebody asks for it, in their words; it changes nothing of what is done.
    """

    keys: tuple[str, ...] = ()
    prefix: str = ""
    pattern: str = ""
    window: Window = field(default_factory=Window)
    state: FileState | None = None
    code: str = ""
    since: datetime | None = None
    force: bool = False
    sweep: bool = False
    wait: int = 0
    reason: str = ""

    @property
    def everything(self) -> bool:
        """Whether it is all that waits for the feed."""
        return not (self.keys or self.prefix or self.pattern or self.window != Window() or self.filtered)

    @property
    def filtered(self) -> bool:
        """Whether the ledger says which files are meant, and not the bucket alone."""
        return bool(self.state or self.code or self.since)

    @property
    def releases(self) -> bool:
        """Whether files that a run holds are meant."""
        return self.state is FileState.CLAIMED

    def fits(self, file: FileRecord) -> bool:
        """Tell whether the ledger has a file as it is wanted."""
        if self.state not in (None, file.state) or self.code not in ("", file.reason and file.reason.code):
            return False
        return self.since is None or listed.since(file) >= clock.to_iso(self.since)

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
            return f"{len(self.keys)} named file{'s' if len(self.keys) > 1 else ''}{self._as_is()}"
        span = f" {self.window}" if self.window != Window() else ""
        rest = f" that go on as {self.pattern!r}" if self.pattern else ""
        return f"files{span} under {self.prefix!r}{rest}{self._as_is()}"

    def _as_is(self) -> str:
        state = [str(self.state)] if self.state else []
        code = [f"for the reason {self.code!r}"] if self.code else []
        since = [f"since {clock.to_iso(self.since)}"] if self.since else []
        return f", of these what is {' '.join([*state, *code, *since])}" if self.filtered else ""


def select(feed: Feed, origin: Origin, params: Mapping[str, Any], bucket: str) -> Selection:
    """Decide what a run is responsible for.

    Args:
        feed: the feed.
        origin: how the run came about.
        params: what it was told, as people paste it: several keys in one field, `s3://` URLs, spaces around.
        bucket: the bucket that URLs are of.

    Raises:
        SelectionError: a param is unknown, can't be understood, or doesn't go with another; it names the param.
    """
    _check_names(params)
    keys, wait = _keys(feed, params.get("keys"), bucket), _seconds(params.get("wait"))
    prefix, pattern = _prefix(feed, params.get("prefix"), bucket), _regex(params.get("pattern"))
    window, force = _window(params, _dated(feed, origin)), _flag("force", params.get("force"))
    reason = _words(params.get("reason"))
    state, code, since = (
        _state(params.get("state")),
        _text("code", params.get("code")),
        _time("since", params.get("since")),
    )
    some = bool(prefix or pattern or window != Window())
    if keys and some:
        raise SelectionError("keys", "no date, prefix, pattern, from or to beside the keys", list(keys))
    if wait and not keys:
        raise SelectionError("wait", "keys beside it, which are waited for", wait)
    if keys or some or state or code or since:
        under = "" if keys else prefix or feed.prefix
        return Selection(keys, under, pattern, window, state, code, since, force, wait=wait, reason=reason)
    if force:
        raise SelectionError("force", f"{', '.join(FILTERS)} or a date beside it: everything isn't done again", force)
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


def _keys(feed: Feed, given: Any, bucket: str) -> tuple[str, ...]:
    if given is None:
        return ()
    pasted = [given] if isinstance(given, str) else given
    if (
        not isinstance(pasted, list)
        or not all(isinstance(key, str) for key in pasted)
        or not any(map(str.strip, pasted))
    ):
        raise SelectionError("keys", "a list of object keys, at least one; null or nothing where none is meant", given)
    keys = tuple(dict.fromkeys(key for each in pasted for key in _pasted(feed, each, bucket)))
    for key in keys:
        if why := feed.mismatch(key):
            raise SelectionError("keys", f"keys of files of the feed; {why}", key)
    return keys


def _pasted(feed: Feed, given: str, bucket: str) -> Iterator[str]:
    """Yield the keys that somebody meant: what is a key as it stands, else each line without what is around it."""
    if not feed.mismatch(given):
        yield given
        return
    for line in given.splitlines():  # the form makes an empty one of a line end
        if line.strip():
            yield _without_bucket("keys", line.strip(), bucket)


def _without_bucket(field: str, given: str, bucket: str) -> str:
    if not given.startswith("s3://"):
        return given
    if not given.startswith(f"s3://{bucket}/"):
        raise SelectionError(field, f"a key, or a URL that begins with s3://{bucket}/", given)
    return given.removeprefix(f"s3://{bucket}/")


def _state(given: Any) -> FileState | None:
    if given is None:
        return None
    if not isinstance(given, str) or given.strip().upper() not in list(FileState):
        raise SelectionError("state", f"one of {', '.join(FileState)}; null or nothing for any", given)
    return FileState(given.strip().upper())


def _text(field: str, given: Any) -> str:
    if given is not None and (not isinstance(given, str) or not given.strip()):
        raise SelectionError(field, "text; null or nothing where none is meant", given)
    return (given or "").strip()


def _words(given: Any) -> str:
    if given is not None and not isinstance(given, str):
        raise SelectionError("reason", "a sentence; null or nothing where there is none", given)
    return " ".join((given or "").split())


def _prefix(feed: Feed, given: Any, bucket: str) -> str:
    prefix = _without_bucket("prefix", _text("prefix", given), bucket)
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
    given = given.strip() if isinstance(given, str) else given
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
