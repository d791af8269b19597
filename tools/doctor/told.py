"""What a check says: a finding, or that it couldn't look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Attributes:
        what: what was found, and where.
        why: what comes of it.
        do: what to do about it.
    """

    what: str
    why: str
    do: str


@dataclass(frozen=True)
class NotChecked:
    """Something that nobody looked at, and why."""

    what: str
    why: str


Told = Finding | NotChecked
