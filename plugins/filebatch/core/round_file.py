"""A round's units as one object: an index of fixed-width lines, then a line of JSON for each unit.

A child fetches its own line of the index and its own unit, and no other's.
"""

from __future__ import annotations

from collections.abc import Sequence

from filebatch.core import contract
from filebatch.core.contract import Unit
from filebatch.core.errors import ContractError

# Bytes of a line of the index: byte offset and length of a unit.
INDEX_LINE = 24


def encode(units: Sequence[Unit]) -> bytes:
    """Write a round's units: an index of fixed-width lines, then a line of JSON for each unit."""
    lines = [contract.encode(unit.to_json()) + b"\n" for unit in units]
    offset = INDEX_LINE * len(lines)
    index = []
    for line in lines:
        index.append(f"{offset:012d} {len(line):010d}\n".encode())
        offset += len(line)
    return b"".join(index + lines)


def index_range(index: int) -> tuple[int, int]:
    """Return first and last byte of unit `index`'s line in the round's index."""
    return INDEX_LINE * index, INDEX_LINE * (index + 1) - 1


def unit_range(line: bytes) -> tuple[int, int]:
    """Return first and last byte of the unit that an index line points to; ContractError if it isn't one."""
    try:
        offset, length = (int(number) for number in line.split())
    except ValueError as error:
        raise ContractError(f"a round's index: expected an offset and a length, found {line!r}") from error
    return offset, offset + length - 1


def decode_unit(line: bytes) -> Unit:
    """Read one unit's line; ContractError where it isn't one."""
    return Unit.from_json(contract.decode("unit", line))


def decode(document: bytes) -> list[Unit]:
    """Read all units of a round."""
    if not document:
        return []
    first, _ = unit_range(document[:INDEX_LINE])
    return [decode_unit(line) for line in document[first:].splitlines()]
