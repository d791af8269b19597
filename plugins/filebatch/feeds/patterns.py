"""Regular expressions that people write, matched against what strangers write, in time linear in the text's length.

A backtracking expression (Python's `re`) may take for ever over one key, and a triggerer's one loop serves every feed.
RE2 has no lookaround, no backreferences and no possessive or atomic groups: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import re2

# Of one expression's program. It bounds what is linear in it: at most some 50 ms over the longest key, 10 s at 8 MiB.
MAX_BYTES = 2**18
# RE2 takes these for the letters they are made of, Python for repetitions; whoever means the letters writes \{,3\}.
_ODD_BRACES = re.compile(r"\{(?!\})(?!(?:0|[1-9]\d{0,7})(?:,(?:0|[1-9]\d{0,7})?)?\})\d*,?\d*\}")

# What parentheses may stand in without being any: quoted text, an escape, a class.
_TOKENS = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|.", re.DOTALL)


def check(pattern: str) -> None:
    """Raise ValueError, which says what is wrong with it, where `pattern` can't be matched in linear time."""
    if odd := _ODD_BRACES.search(pattern):
        raise ValueError(f"a regular expression with repetitions such as {{0,3}}, of at most 1000; not {odd[0]}")
    try:
        _compiled(pattern)
    except (re2.error, UnicodeEncodeError) as error:
        raise ValueError(f"a regular expression of RE2's syntax ({_said(error)})") from error


def groups(pattern: str) -> frozenset[str]:
    """Return the names of a pattern's groups."""
    return frozenset(_compiled(pattern).groupindex)


def group(pattern: str, name: str) -> str:
    """Return the text of a pattern's named group, parentheses included; KeyError where it has none."""
    opened: list[int] = []
    for token in _TOKENS.finditer(pattern):
        if token[0] == "(":
            opened.append(token.start())
        elif token[0] == ")":
            found = pattern[opened.pop() : token.end()]
            if found.startswith((f"(?P<{name}>", f"(?<{name}>")):
                return found
    raise KeyError(name)


def literal(text: str) -> str:
    """Return the pattern that this very text alone matches."""
    return re.escape(text)


def may_begin(pattern: str, beginning: str) -> bool:
    """Tell whether a text that the pattern matches as a whole may begin so; False only where none can.

    RE2 tells between which two texts, in order of their bytes, all of a pattern's matches lie.
    """
    begun = beginning.encode()
    try:
        first, last = _compiled(pattern).possiblematchrange(len(begun) + 8)
    except re2.error:  # there are no such bounds: it may begin with anything
        return True
    return bool(first <= begun + b"\xff" * 16 and last >= begun)


def fullmatch(pattern: str, text: str) -> dict[str, str | None] | None:
    """Match a text as a whole, line ends like any other letter; return the named groups, or None where it doesn't."""
    try:
        match = _compiled(pattern).fullmatch(text)
    except UnicodeEncodeError:  # half a surrogate pair, which no key can hold
        return None
    return match.groupdict() if match else None


def fits_until(pattern: str, text: str) -> int:
    """Return how much of a text fits: the longest beginning of it that some beginning of the pattern matches."""
    return max((_fits(beginning, text) for beginning in _beginnings(pattern)), default=0)


def _beginnings(pattern: str) -> Iterator[str]:
    """Yield what a pattern is up to each of its tokens, with open parentheses closed."""
    depth = 0
    for token in _TOKENS.finditer(pattern):
        depth += (token[0] == "(") - (token[0] == ")")
        yield pattern[: token.end()] + ")" * depth


def _fits(pattern: str, text: str) -> int:
    try:
        match = _compile(pattern).match(text)
    except (re2.error, UnicodeEncodeError):  # it ends within something, such as a repetition
        return 0
    return len(match[0]) if match else 0


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    return _compile(pattern)


def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    options.max_mem = MAX_BYTES
    return re2.compile(pattern, options)


def _said(error: Exception) -> str:
    """Return RE2's own words, which come as bytes."""
    said = error.args[0]
    return said.decode(errors="replace") if isinstance(said, bytes) else str(error)
