"""Column names that every reader of the result can live with."""

from __future__ import annotations

from collections.abc import Iterable

MAX_NAME = 200  # characters
MAX_COLUMNS = 20_000


def column_names(raw: Iterable[str]) -> list[str]:
    """Return one name per raw name: none empty or overlong, no two alike even where case is ignored.

    An empty one becomes `column_3` (its position from 1), the second `price` becomes `price_2`.
    """
    cleaned = [" ".join(name.split())[:MAX_NAME].strip() or f"column_{at}" for at, name in enumerate(raw, 1)]
    taken = {name.casefold() for name in cleaned}
    seen: set[str] = set()
    return [_free(name, seen, taken) for name in cleaned]


def _free(name: str, seen: set[str], taken: set[str]) -> str:
    if name.casefold() not in seen:
        seen.add(name.casefold())
        return name
    number = 2
    while (candidate := f"{name}_{number}").casefold() in taken:
        number += 1
    seen.add(candidate.casefold())
    taken.add(candidate.casefold())
    return candidate
