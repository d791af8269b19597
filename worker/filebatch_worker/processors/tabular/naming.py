"""Column names that every reader of the result can live with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from filebatch.core.tabular_options import alike
from filebatch_worker.processors.tabular.faults import invalid

MAX_NAME = 200  # characters
MAX_COLUMNS = 20_000


def column_names(raw: Iterable[str], declared: Iterable[str] = ()) -> list[str]:
    """Return one name per raw name: none empty or overlong, no two alike even where case is ignored.

    An empty one becomes `column_3` (its position from 1), the second `price` becomes `price_2`. A name that a feed
    declares is given to the column that has it, or else to the only one that has it in other case.

    Raises InvalidFile "duplicate-column" where several columns have a declared name.
    """
    cleaned = [" ".join(name.split())[:MAX_NAME].strip() or f"column_{at}" for at, name in enumerate(raw, 1)]
    owned = _owned(cleaned, declared)
    taken = {alike(name) for name in cleaned}
    seen = {alike(name) for name in owned.values()}
    return [owned[at] if at in owned else _free(name, seen, taken) for at, name in enumerate(cleaned)]


def _owned(names: Sequence[str], declared: Iterable[str]) -> dict[int, str]:
    """Return the declared names by the positions of their columns."""
    exact, loose = _positions(names), _positions(map(alike, names))
    owned: dict[int, str] = {}
    for name in declared:
        found = exact.get(name) or loose.get(alike(name), [])
        if len(found) > 1:
            raise invalid("duplicate-column", f"column {name!r} is declared and occurs twice", column=name)
        owned |= dict.fromkeys(found, name)
    return owned


def _positions(names: Iterable[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        found.setdefault(name, []).append(at)
    return found


def _free(name: str, seen: set[str], taken: set[str]) -> str:
    if alike(name) not in seen:
        seen.add(alike(name))
        return name
    number = 2
    while (candidate := f"{name}_{number}").casefold() in taken:
        number += 1
    seen.add(candidate.casefold())
    taken.add(candidate.casefold())
    return candidate
