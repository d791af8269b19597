"""Every exception of filebatch.

FilebatchError
├── ConfigurationError      ours to fix: a feed file, the settings, a contract version; nothing is tried again
│   └── FeedError           one feed file: names file, and of each problem field, expected and found
├── ContractError           a document that crossed a boundary isn't what it should be
│   └── ContractVersionError    it is of a version that this one doesn't read
├── RecordError             an item of the ledger isn't what this version reads: names item and attribute
├── MoveRefused             a move that had to succeed didn't, as the ledger says otherwise by now
├── SelectionError          a trigger form or conf that can't be understood: names the field
└── LostClaim               this run or worker no longer owns the file; whoever owns it goes on

A message says where, what was expected, what was found and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


class FilebatchError(Exception):
    """Whatever filebatch itself raises on purpose."""


class ConfigurationError(FilebatchError):
    """Settings, feeds or deployment are wrong; trying again can't help."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a document.

    Attributes:
        field: dotted path of the field, or "" for the document as a whole.
        expected: what would have been right.
        found: what was there.
    """

    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.field}: expected {self.expected}, found {self.found}".removeprefix(": ")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: which one it may be meant for, or nothing."""
    near = get_close_matches(name[:100], list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


class FeedError(ConfigurationError):
    """A feed file that can't be used: the message has a line for each thing that is wrong with it.

    Args:
        file: the feed file's name.
        problems: what is wrong, at least one.
    """

    def __init__(self, file: str, *problems: Problem) -> None:
        self.file, self.problems = file, problems
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))


class ContractError(FilebatchError):
    """A plan, unit or result isn't what it should be."""


class ContractVersionError(ContractError):
    """A plan, unit or result is of a version that this one doesn't read; after an update it may be read."""


class RecordError(FilebatchError):
    """An item of the ledger has an attribute missing, or one that is no value of its type."""


class MoveRefused(FilebatchError):  # noqa: N818 - the ledger's answer rather than a fault
    """A move that its caller relies on was refused: somebody else has moved the item meanwhile."""


class SelectionError(FilebatchError):
    """The run's params can't be understood.

    Args:
        field: the param's name.
        expected: what would have been right.
        found: what was given.
    """

    def __init__(self, field: str, expected: str, found: object) -> None:
        self.field = field
        super().__init__(f"param {field!r}: expected {expected}, found {found!r}")


class LostClaim(FilebatchError):  # noqa: N818 - an event in the protocol rather than an error
    """The file or round is no longer this caller's; nothing was changed."""
