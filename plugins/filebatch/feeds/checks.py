"""What a value of a feed has to be, beyond its type: a check returns the value, or raises ValueError that says so."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from filebatch.core import command_options, tabular_options
from filebatch.core.options import OptionsError
from filebatch.feeds import patterns
from filebatch.feeds.problems import UnfitError

SECRET = re.compile(r"(?i)passw|secret|token|api_?key|credential")
CRON_FIELDS = 5
NOW = datetime(2026, 1, 1, tzinfo=UTC)  # any moment does


def regex(text: str) -> str:
    """Refuse what can't be matched in linear time."""
    patterns.check(text)
    return text


def pattern_after(prefix: str, pattern: str) -> None:
    """Refuse a pattern that repeats the prefix: it is matched against the rest of the key."""
    begun = re.sub(r"\\([^A-Za-z0-9])", r"\1", pattern.removeprefix("^"))
    if begun.startswith(prefix):
        told = f"a pattern of the rest of the key, after {prefix!r}, which isn't repeated"
        raise ValueError(f"{told} (a folder of that name belongs to the prefix)")


def cron(text: str) -> str:
    """Refuse what Airflow's timetable can't go by: it would fail for all feeds' DAGs, as they're in one file."""
    from croniter import CroniterError, croniter

    if not text.startswith("@") and (len(text.split()) != CRON_FIELDS or re.search(r"(^|[ ,])[rRhH]", text)):
        raise ValueError('a cron expression of five fields such as "*/15 * * * *", without chance (R, H)')
    try:
        croniter(text, NOW).get_prev(datetime)
        fires = croniter(text, NOW)
        moments = [NOW, fires.get_next(datetime), fires.get_next(datetime)]
    except CroniterError as error:
        raise ValueError('a cron expression such as "*/15 * * * *", of days that come') from error
    if not all(first < second for first, second in pairwise(moments)):
        raise ValueError('a cron expression such as "*/15 * * * *", that fires again and again')
    return text


def json_alone(options: dict[str, Any]) -> dict[str, Any]:
    """Refuse what would reach the worker as something else, or not at all."""
    try:
        same = json.loads(json.dumps(options, allow_nan=False)) == options
    except (TypeError, ValueError, RecursionError):
        same = False
    if not same:
        raise ValueError("what JSON has: text, numbers, true, false, null, lists, mappings (a date is text, in quotes)")
    return options


def no_secrets(arguments: dict[str, Any]) -> dict[str, Any]:
    """Refuse arguments whose names say that they are secrets: a feed file is read by many."""
    for name in arguments:
        if SECRET.search(name):
            raise ValueError(f"no secret, as a feed file is no place for one ({name}): name a connection of Airflow's")
    return arguments


def known_options(processor: str, options: Mapping[str, Any]) -> None:
    """Refuse options that a built-in processor doesn't know; one of the feed's own says at work what it knows."""
    parse = {"tabular": tabular_options.parse, "command": command_options.parse}.get(processor)
    try:
        if parse:
            parse(options)
    except OptionsError as error:
        raise UnfitError(*error.problems) from error


def time_of_day(written: Any) -> Any:
    """Refuse a number: YAML takes an unquoted 10:30 for 630."""
    if isinstance(written, (int, float)):
        raise ValueError('a time of day in quotes, such as "10:30"')  # noqa: TRY004 - pydantic gathers ValueErrors
    return written
