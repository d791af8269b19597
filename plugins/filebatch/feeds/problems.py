"""What is wrong with a document that pydantic has refused, in this project's words: all of it at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from filebatch.core.errors import Problem, did_you_mean

MAX_SHOWN = 200  # characters of a value in an error


class UnfitError(ValueError):
    """A value of which several parts may be wrong.

    Args:
        problems: what is wrong; their fields are dotted paths below the value's own.
    """

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def of(error: ValidationError, known: Mapping[str, Sequence[str]]) -> list[Problem]:
    """Return all that is wrong.

    Args:
        error: what pydantic says.
        known: dotted path of each mapping of fixed fields ("" for the document) → its fields.
    """
    return [problem for each in error.errors(include_url=False) for problem in _problems(each, known)]


def shown(found: object) -> str:
    """Return a value as an error shows it; a number of a thousand digits can't be written, and a page isn't read."""
    try:
        told = repr(found)
    except ValueError:
        return f"a huge {type(found).__name__}"
    return told if len(told) <= MAX_SHOWN else f"{told[:MAX_SHOWN]}…"


def unknown(name: str, known: Sequence[str]) -> Problem:
    """Return what is wrong with a name that isn't among the known ones, and which it may be meant for."""
    short = name[:MAX_SHOWN]
    found = f"an unknown one{did_you_mean(short, known)}"
    return Problem(short, f"one of the known fields ({', '.join(known)})", found)


def _problems(each: Mapping[str, Any], known: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    *outer, last = [str(part) for part in each["loc"]] or [""]
    path = ".".join([*outer, last])[:MAX_SHOWN]
    reason = each.get("ctx", {}).get("error")
    if each["type"] == "missing":
        yield Problem(path, "a value", "nothing")
    elif each["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        yield replace(unknown(last, known.get(".".join(outer), ())), field=path)
    elif isinstance(reason, UnfitError):
        yield from (replace(problem, field=_below(path, problem.field)) for problem in reason.problems)
    else:
        expected = str(reason) if isinstance(reason, ValueError) else each["msg"].removeprefix("Input should be ")
        yield Problem(path, expected, shown(each.get("input")))


def _below(path: str, field: str) -> str:
    return f"{path}.{field}"[:MAX_SHOWN] if field else path
