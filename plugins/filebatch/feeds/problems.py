"""What is wrong with a document that pydantic has refused, in this project's words: all of it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from filebatch.core.errors import Problem

MAX_SHOWN = 200  # characters of a value in an error


class UnfitError(ValueError):
    """A value that can't be used, of which more is to be said than what was expected.

    Args:
        expected: what would have been right.
        found: what was there, where that isn't the field's whole value.
        at: dotted path below the field, where it is a part of it.
    """

    def __init__(self, expected: str, found: object = None, at: str = "") -> None:
        super().__init__(expected)
        self.found, self.at = found, at


def of(error: ValidationError, known: Mapping[str, Sequence[str]]) -> list[Problem]:
    """Return all that is wrong.

    Args:
        error: what pydantic says.
        known: dotted path of each mapping of fixed fields ("" for the document) → its fields.
    """
    return [_problem(each, known) for each in error.errors(include_url=False)]


def shown(found: object) -> str:
    """Return a value as an error shows it; a number of a thousand digits can't be written, and a page isn't read."""
    try:
        told = repr(found)
    except ValueError:
        return f"a huge {type(found).__name__}"
    return told if len(told) <= MAX_SHOWN else f"{told[:MAX_SHOWN]}…"


def unknown(name: str, known: Sequence[str]) -> Problem:
    """Return what is wrong with a name that isn't among the known ones, and which it may be meant for."""
    near = get_close_matches(name[:MAX_SHOWN], known, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return Problem(name[:MAX_SHOWN], f"one of the known fields ({', '.join(known)})", f"an unknown one{meant}")


def _problem(each: Mapping[str, Any], known: Mapping[str, Sequence[str]]) -> Problem:
    *outer, last = [str(part) for part in each["loc"]] or [""]
    path = ".".join([*outer, last])[:MAX_SHOWN]
    if each["type"] == "missing":
        return Problem(path, "a value", "nothing")
    if each["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        problem = unknown(last, known.get(".".join(outer), ()))
        return Problem(path, problem.expected, problem.found)
    reason = each.get("ctx", {}).get("error")
    found = each.get("input")
    if isinstance(reason, UnfitError):
        path = f"{path}.{reason.at}" if reason.at else path
        found = found if reason.found is None else reason.found
    expected = str(reason) if isinstance(reason, ValueError) else each["msg"].removeprefix("Input should be ")
    return Problem(path, expected, shown(found))
