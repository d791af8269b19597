"""The date in a key: which forms it may have, and whether a pattern and a day's prefix agree with them.

A form is in strptime's codes: https://docs.python.org/3/library/datetime.html#strftime-and-strptime-format-codes
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from filebatch.core import date_forms
from filebatch.feeds import patterns

# What a date looks like where the feed doesn't say: year, month and day of four, two and two digits.
USUAL = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y_%m_%d", "%Y.%m.%d", "year=%Y/month=%m/day=%d")
# What a day's prefix may be made of: nothing that two files of one day may have different.
DAY_CODES = frozenset("YymdjbBaA%")
# A pattern that takes none of these as dates takes none at all, but for odd ones.
SAMPLES = tuple(datetime(2026, month, day, 3, 4, 5, tzinfo=UTC) for month, day in ((1, 2), (12, 31), (5, 25)))


def forms(date_format: str | None) -> tuple[str, ...]:
    """Return the forms that a date may have."""
    return (date_format,) if date_format else USUAL


@lru_cache(maxsize=1024)  # many files share a day
def read(written: str, date_format: str | None) -> datetime | None:
    """Return the time that a date in a key means, in UTC where it has no zone; None where it is no date."""
    for form in forms(date_format):
        if patterns.fullmatch(_pattern(form), written) is not None:
            return _parsed(written, form)
    return None


def told(date_format: str | None) -> str:
    """Return the forms for people."""
    return repr(date_format) if date_format else f"{', '.join(USUAL)}, and there is no date_format"


def check(date_format: str | None, pattern: str) -> None:
    """Raise ValueError, which says what is expected, unless dates of that form can stand in the pattern's group."""
    has_date = "date" in patterns.groups(pattern)
    if date_format and not has_date:
        raise ValueError("a group (?P<date>…) in pattern beside it, which has this form")
    if date_format:
        _check_codes(date_format)
    if has_date and not _fits(pattern, date_format):
        example = SAMPLES[0].strftime(_plain(forms(date_format)[0]))
        taken = patterns.group(pattern, "date")
        raise ValueError(f"how pattern's {taken} is written, in strptime's codes such as %d.%m.%Y: not {example!r}")


def _check_codes(date_format: str) -> None:
    try:
        date_forms.pattern_of(date_format)
    except ValueError as error:
        raise ValueError(f"strptime's codes of year, month and day, such as %d.%m.%Y ({error})") from error


def check_day_prefix(day_prefix: str, pattern: str, date_format: str | None) -> None:
    """Raise ValueError unless keys that the pattern matches may begin so on a day."""
    codes = set(re.findall(r"%-?(.?)", day_prefix))
    if not codes <= DAY_CODES or not codes - {"%"}:
        raise ValueError("strftime's codes of a day, such as %Y/%m/%d/")
    if "date" not in patterns.groups(pattern):
        raise ValueError("a group (?P<date>…) in pattern beside it, as it bounds a window by the files' times")
    taken = [(day, form) for day in SAMPLES for form in forms(date_format)]
    if not any(_may_begin(pattern, day, form, day.strftime(day_prefix)) for day, form in taken):
        example = SAMPLES[0].strftime(day_prefix)
        raise ValueError(f"how a key begins that pattern matches; none of the day begins with {example!r}")


def _may_begin(pattern: str, day: datetime, form: str, beginning: str) -> bool:
    written = day.strftime(_plain(form))
    group = patterns.group(pattern, "date")
    if patterns.fullmatch(group, written) is None:
        return False
    return patterns.may_begin(pattern.replace(group, f"(?:{patterns.literal(written)})", 1), beginning)


def _fits(pattern: str, date_format: str | None) -> bool:
    group = patterns.group(pattern, "date")
    written = (day.strftime(_plain(form)) for day in SAMPLES for form in forms(date_format))
    return any(patterns.fullmatch(group, each) is not None for each in written)


def _parsed(written: str, form: str) -> datetime | None:
    try:
        found = datetime.strptime(written, _plain(form))  # noqa: DTZ007 - a zone of its own counts, else UTC
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _plain(form: str) -> str:
    """Return a form without the dashes of `%-d`, which strptime doesn't know: it takes one digit or two."""
    return form.replace("%-", "%")


@lru_cache(maxsize=256)
def _pattern(form: str) -> str:
    return date_forms.pattern_of(form)
