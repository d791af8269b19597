"""The options of the built-in processor `command`: what a feed may say about the program that processes its files.

They are checked where the feed is read, and again by the worker before its first file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from filebatch.core.errors import Problem, did_you_mean
from filebatch.core.tabular_options import OptionsError


def parse(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as values. Raises OptionsError, naming all that is wrong with them."""
    problems = [_unknown(name) for name in options if name not in PARSERS]
    problems += [Problem("command", _COMMAND, "nothing")] if "command" not in options else []
    values: dict[str, Any] = {}
    for name, value in options.items():
        try:
            values |= {name: PARSERS[name](name, value)} if name in PARSERS else {}
        except OptionsError as error:
            problems += error.problems
    if problems:
        raise OptionsError(*problems)
    return values


def _unknown(name: object) -> Problem:
    found = f"an unknown option{did_you_mean(str(name), PARSERS)}"
    return Problem(str(name), f"one of the options of command ({', '.join(PARSERS)})", found)


def _command(name: str, value: Any) -> tuple[str, ...]:
    is_list = isinstance(value, list | tuple) and all(isinstance(part, str) and "\0" not in part for part in value)
    if not is_list or not value or not value[0]:
        raise OptionsError(Problem(name, _COMMAND, repr(value)))
    return tuple(value)


def _parameters(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise OptionsError(Problem(name, "names and values", repr(value)))
    return value


def _count(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise OptionsError(Problem(name, "an integer of at least 1", repr(value)))
    return value


_COMMAND = "a list of texts: the program and its arguments"
PARSERS: Mapping[str, Callable[[str, Any], Any]] = {
    "command": _command,
    "parameters": _parameters,
    "timeout": _count,
    "max_output_bytes": _count,
}
