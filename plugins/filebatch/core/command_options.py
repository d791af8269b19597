"""The options of the built-in processor `command`: what a feed may say about the program that processes its files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filebatch.core.errors import Problem
from filebatch.core.options import OptionsError, Parsers, count, parsed, wrong


def parse(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as values. Raises OptionsError, naming all that is wrong with them."""
    values, problems = parsed("command", options, PARSERS)
    problems += [Problem("command", _COMMAND, "nothing")] if "command" not in options else []
    if problems:
        raise OptionsError(*problems)
    return values


def _command(name: str, value: Any) -> tuple[str, ...]:
    is_list = isinstance(value, list | tuple) and all(isinstance(part, str) and "\0" not in part for part in value)
    if not is_list or not value or not value[0]:
        raise wrong(name, _COMMAND, value)
    return tuple(value)


def _parameters(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong(name, "names and values", value)
    return value


_COMMAND = "a list of texts: the program and its arguments"
PARSERS: Parsers = {
    "command": _command,
    "parameters": _parameters,
    "timeout": count(1),
    "max_output_bytes": count(1),
}
