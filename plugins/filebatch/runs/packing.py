"""Packing files into units: each unit is one container start, so small files share one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

MAX_UNITS = 10_000  # children of an array job: https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html

T = TypeVar("T")


def pack(
    items: Iterable[T],
    *,
    size: Callable[[T], int],
    max_bytes: int,
    max_count: int,
    alone: Callable[[T], bool] = lambda _: False,
) -> list[list[T]]:
    """Fill units in the order of `items` until `max_bytes` or `max_count` is reached.

    Every item is in exactly one unit, no unit is empty, and an item that is larger than `max_bytes`, or that must be
    `alone`, has a unit of its own. The order is kept, so that the same files always make the same units.
    """
    units: list[list[T]] = []
    filled, closed = 0, True
    for item in items:
        single = alone(item)
        if closed or single or len(units[-1]) >= max_count or filled + size(item) > max_bytes:
            units.append([])
            filled = 0
        units[-1].append(item)
        filled += size(item)
        closed = single
    return units


def first(items: Iterable[T], *, size: Callable[[T], int], max_bytes: int, max_count: int, filled: int = 0) -> int:
    """Return how many of the first items are taken: up to `max_count`, and to `max_bytes` with those `filled` already.

    Where nothing is filled yet one is taken, however large it is.
    """
    taken = 0
    for item in islice(items, max_count):
        if (filled or taken) and filled + size(item) > max_bytes:
            break
        filled += size(item)
        taken += 1
    return taken
