"""Options of the built-in processors: what a feed may say of each, checked where the feed is read and by the worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from filebatch.core.errors import Problem, did_you_mean

# Of each option by name: what makes its value of what was written, given the name; OptionsError for what it can't be.
Parsers = Mapping[str, Callable[[str, Any], Any]]


class OptionsError(ValueError):
    """Options that can't be used.

    Args:
        problems: all that is wrong with them.
    """

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def parsed(processor: str, options: Mapping[str, Any], parsers: Parsers) -> tuple[dict[str, Any], list[Problem]]:
    """Return the values of a processor's options, and all that is wrong with the others."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, written in options.items():
        if name not in parsers:
            problems.append(_unknown(processor, name, parsers))
            continue
        try:
            values[name] = parsers[name](name, written)
        except OptionsError as error:
            problems += error.problems
    return values, problems


def wrong(name: str, expected: str, found: Any) -> OptionsError:
    """Return what is wrong with one option."""
    return OptionsError(Problem(name, expected, repr(found)))


def count(least: int) -> Callable[[str, Any], int]:
    """Return what parses an integer of at least so much."""

    def parse_count(name: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise wrong(name, f"an integer of at least {least}", value)
        return value

    return parse_count


def _unknown(processor: str, name: object, parsers: Parsers) -> Problem:
    found = f"an unknown option{did_you_mean(str(name), parsers)}"
    return Problem(str(name), f"one of the options of {processor} ({', '.join(parsers)})", found)
