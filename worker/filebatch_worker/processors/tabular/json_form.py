"""Regular expressions of what a JSON object looks like in its file, of which the engine's parser keeps too little.

They are given objects that are JSON already, and tell what the parsed value can't: that no key is there twice, that no
key is there which nobody asked for, and that each number is written so that the engine keeps it. They are the engine's,
which looks at each byte once, however they are made: https://github.com/google/re2/wiki/syntax
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from filebatch_worker.processors.tabular.column_types import EXACT_DIGITS, ISO_DATE, ISO_TIMESTAMP

TEXT = r'"(?:[^"\\]|\\.)*"'
BOOLEAN = "true|false"
NOTHING = "null"
INTEGER = r"0|-?[1-9]\d{0,17}"  # fits 64 bits, and is printed as it stands
_EXPONENT = r"[eE][+-]?\d{1,2}"
# Of 15 digits at most, which a double holds.
_FRACTION = r"-?(?:0\.\d{1,15}|[1-9]\d{0,2}\.\d{1,12}|[1-9]\d{3,8}\.\d{1,6}|[1-9]\d{9,12}\.\d{1,2})"
FLOAT = rf"0|-?[1-9]\d{{0,14}}(?:{_EXPONENT})?|{_FRACTION}(?:{_EXPONENT})?"
LONG_FLOAT = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
SCALAR = f"{TEXT}|{BOOLEAN}|{INTEGER}"  # what is text as it stands
DATE = f'"{ISO_DATE}"'
TIMESTAMP = f'"{ISO_TIMESTAMP}"'
TIMESTAMP_UTC = f'"{ISO_TIMESTAMP}(Z|[+]00(:?00)?)"'
DEPTH = 8  # of objects and arrays within a value


def nested() -> str:
    """Return the expression of an object or array."""
    found = r"[{\[][^{}\[\]\"]*[}\]]"
    for _ in range(DEPTH - 1):
        found = rf"[{{\[](?:[^{{}}\[\]\"]|{TEXT}|{found})*[}}\]]"
    return found


def decimal(sql: str) -> str:
    """Return the expression of a number that fits the type `sql`, "" where that is no decimal of few digits."""
    found = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", sql)
    precision, scale = map(int, found.groups()) if found else (0, 0)
    if not scale < precision <= EXACT_DIGITS:
        return ""
    fraction = rf"(?:\.\d{{1,{scale}}})?" if scale else ""
    return (
        rf"0|-?0\.\d{{1,{scale}}}|-?[1-9]\d{{0,{precision - scale - 1}}}{fraction}"
        if scale
        else rf"0|-?[1-9]\d{{0,{precision - 1}}}"
    )


def ordered(keys: Sequence[str], patterns: Mapping[str, str]) -> str:
    """Return the expression of an object that has some of `keys`, each once, in this order, and no others.

    `patterns` are those of their values, which may also be null.
    """
    fields = "".join(f"(?:{_field(key, patterns[key])})?" for key in keys)
    return rf"\s*\{{\s*{fields}\}}\s*"


def unordered(keys: Sequence[str], patterns: Mapping[str, str]) -> str:
    """Return the expression of an object that has no others than `keys`, in any order; it may have one twice."""
    fields = "|".join(_field(key, patterns[key]) for key in keys)
    return rf"\s*\{{\s*(?:{fields})*\}}\s*"


def _field(key: str, pattern: str) -> str:
    return rf"{re.escape(written(key))}\s*:\s*(?:{pattern}|null)\s*,?\s*"


def written(key: str) -> str:
    """Return a key as most files have it."""
    return json.dumps(key, ensure_ascii=False)


def in_order(lists: Sequence[Sequence[str]], keys: Sequence[str]) -> list[str]:
    """Return `keys` in an order that all `lists` of keys keep to; as they are where there is none."""
    place = {key: at for at, key in enumerate(keys)}
    before: dict[str, set[str]] = {key: set() for key in keys}
    for each in lists:
        for one, next_one in pairwise(each):
            before[next_one].add(one)
    try:
        return list(TopologicalSorter({key: sorted(before[key], key=place.__getitem__) for key in keys}).static_order())
    except CycleError:
        return list(keys)
