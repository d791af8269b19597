"""What became of the mutants: which no test noticed, and how many that is by module."""

from __future__ import annotations

import ast
import difflib
import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
SURVIVED, NO_TESTS, NOT_TRIED = 0, (5, 33), None  # mutmut's exit codes: 33 where no test goes through the function


@dataclass(frozen=True)
class Change:
    """What a mutant changes: the module, and the lines before and after it."""

    module: str
    was: str
    becomes: str


@dataclass(frozen=True)
class Mutant:
    """One mutant that was tried.

    Attributes:
        name: mutmut's name.
        change: what it changes.
        survived: whether no test noticed it.
        equivalent: why nobody could notice it; "" where somebody could.
    """

    name: str
    change: Change
    survived: bool
    equivalent: str


def equivalents() -> dict[Change, str]:
    """Read which mutants no test can notice, and why."""
    listed = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]
    return {Change(each["module"], each["was"].strip(), each["becomes"].strip()): each["why"] for each in listed}


def read(sources: Path, equivalent: dict[Change, str]) -> list[Mutant]:
    """Read what became of the mutants of all modules below `sources`."""
    tried = []
    for meta in sorted(sources.rglob("*.py.meta")):
        module = str(meta.relative_to(sources)).removesuffix(".py.meta").replace("/", ".")
        functions = dict(_functions(meta.with_suffix("").read_text(encoding="utf-8")))
        for name, code in json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            if code is not NOT_TRIED:
                change = _change(module, functions, name.rpartition(".")[2])
                survived = code == SURVIVED or code in NO_TESTS
                tried.append(Mutant(name, change, survived, equivalent.get(change, "")))
    return tried


def _functions(source: str) -> Iterator[tuple[str, str]]:
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name:
            yield node.name, dedent("\n".join(lines[node.lineno : node.end_lineno]))  # without the line of its name


def _change(module: str, functions: dict[str, str], name: str) -> Change:
    original = functions[f"{name.partition('__mutmut_')[0]}__mutmut_orig"]
    lines = list(difflib.ndiff(original.splitlines(), functions[name].splitlines()))
    was, becomes = ("\n".join(line[2:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return Change(module, was, becomes)


def percent(tried: Sequence[Mutant]) -> float:
    """Return how many of a hundred mutants that aren't equivalent were noticed."""
    counted = [mutant for mutant in tried if not mutant.equivalent]
    return 100 * sum(not mutant.survived for mutant in counted) / max(len(counted), 1)


def mistaken(tried: Sequence[Mutant]) -> list[Mutant]:
    """Return the mutants that are listed as equivalent though a test noticed them."""
    return [mutant for mutant in tried if mutant.equivalent and not mutant.survived]


def report(tried: Sequence[Mutant]) -> str:
    """Return the survivors, then a table of the modules."""
    missed = [mutant for mutant in tried if mutant.survived and not mutant.equivalent]
    told = [f"\n{mutant.name}\n- {mutant.change.was}\n+ {mutant.change.becomes}\n" for mutant in missed]
    told += [f"\n{mutant.name} is listed as equivalent, but a test noticed it\n" for mutant in mistaken(tried)]
    modules = sorted({mutant.change.module for mutant in tried})
    rows = [_row(module, [mutant for mutant in tried if mutant.change.module == module]) for module in modules]
    head = "| module | mutants | equivalent | not noticed | score |\n|---|---|---|---|---|\n"
    return "".join([*told, "\n", head, *rows, _row("all", tried)])


def _row(name: str, tried: Sequence[Mutant]) -> str:
    equivalent = sum(bool(mutant.equivalent) for mutant in tried)
    missed = sum(mutant.survived and not mutant.equivalent for mutant in tried)
    return f"| `{name}` | {len(tried)} | {equivalent} | {missed} | {percent(tried):.1f} % |\n"
