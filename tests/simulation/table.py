"""The table of safeguards in docs/guarantees.md: `make simulate-safeguards` writes it, and a test holds it true."""

import re
from collections.abc import Mapping
from pathlib import Path

import marked_part
from simulation.run import Outcome
from simulation.safeguards import HELD_BY_TESTS, SAFEGUARDS

DOCUMENT = Path(__file__).parents[2] / "docs" / "guarantees.md"
NAME = "safeguards"
HEAD = ("| safeguard | what it is | found by, or why only a test of its own finds it |", "|---|---|---|")
_ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_SEED = re.compile(r"seed (\d+): (.+)")


def rows(text: str | None = None) -> dict[str, tuple[str, str]]:
    """Return the table's rows by the safeguard's name: what it is, and what finds that it is gone."""
    document = text or DOCUMENT.read_text(encoding="utf-8")
    part = document.partition(f"<!-- {NAME} -->")[2].partition(f"<!-- /{NAME} -->")[0]
    return {name: (what, found) for name, what, found in _ROW.findall(part)[1:]}


def by_seed(found: str) -> tuple[int, str] | None:
    """Return the seed that a row names, and what it finds; None where a test finds it."""
    named = _SEED.fullmatch(found)
    return (int(named[1]), named[2]) if named else None


def told(name: str, outcome: Outcome | None) -> str:
    """Return a row's last words; ValueError where neither a seed nor a test finds it."""
    if outcome:
        return f"seed {outcome.plan.seed}: {outcome.rule}"
    if name not in HELD_BY_TESTS:
        raise ValueError(f"{name}: expected a seed that finds it, or a test in HELD_BY_TESTS; found none")
    return str(HELD_BY_TESTS[name])


def write(tried: Mapping[str, Outcome | None]) -> None:
    """Write what was found when these safeguards were taken out; the others' rows stay as they are."""
    known = {name: found for name, (_, found) in rows().items()} | {name: told(name, tried[name]) for name in tried}
    lines = (f"| {name} | {each.what} | {known.get(name, 'not tried')} |" for name, each in SAFEGUARDS.items())
    marked_part.write(DOCUMENT, NAME, "\n".join([*HEAD, *lines]))
