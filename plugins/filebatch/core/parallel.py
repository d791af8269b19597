"""Calling a function for many items side by side, on a few threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

THREADS = 16

T = TypeVar("T")
R = TypeVar("R")


class ParallelMap(Protocol):
    """Calls a function for each item; results come in the items' order, the first exception is raised."""

    def __call__(self, function: Callable[[T], R], items: Iterable[T], /) -> list[R]:
        """Return the results."""


def side_by_side(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Call `function` for each item on a few threads; results in order, the first exception is raised."""
    values = list(items)
    if len(values) < 2:
        return [function(value) for value in values]
    with ThreadPoolExecutor(min(THREADS, len(values))) as pool:
        return list(pool.map(function, values))
