"""What a deployment would change, and changing it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deploy.contents import PARTS, Files, hashes, in_order, of, part
from deploy.places import Place

AT_ONCE = 16  # reads of a bucket


@dataclass(frozen=True)
class Plan:
    """Paths that are laid down and paths that are removed, in the order in which that is done."""

    new: Sequence[str]
    changed: Sequence[str]
    removed: Sequence[str]

    @property
    def empty(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.new or self.changed or self.removed)


def made(wanted: Files, owned: Iterable[str], place: Place) -> Plan:
    """Compare what is wanted with what is there; only what deployments have laid down is ever removed."""
    gone = set(owned) - set(wanted)
    there = found(place, {*wanted, *gone})
    differ = {path for path, name in hashes(wanted).items() if there[path] != name}
    return Plan(
        new=in_order(path for path in differ if there[path] is None),
        changed=in_order(path for path in differ if there[path] is not None),
        removed=in_order(path for path in gone if there[path] is not None)[::-1],
    )


def lay_down(plan: Plan, wanted: Files, place: Place, parts: Sequence[str]) -> None:
    """Lay down what of these parts differs, each after what it needs; done again it does what is left."""
    for path in in_order(path for path in (*plan.new, *plan.changed) if part(path) in parts):
        place.write(path, wanted[path])


def remove(plan: Plan, place: Place) -> None:
    """Remove what isn't wanted any more."""
    for path in plan.removed:
        place.remove(path)


def found(place: Place, paths: Iterable[str]) -> dict[str, str | None]:
    """Return the hash of what is there at each path, None where nothing is."""
    names = sorted(paths)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        contents = pool.map(place.read, names)
        return {path: None if content is None else of(content) for path, content in zip(names, contents, strict=True)}


def told(plan: Plan) -> list[str]:
    """Return the plan in lines, by part."""
    lines = []
    marks = (("+", plan.new), ("~", plan.changed), ("-", plan.removed))
    for name in PARTS:
        those = [f"  {mark} {path}" for mark, paths in marks for path in paths if part(path) == name]
        lines += [f"{name}: {len(those) or 'nothing'} to change", *those]
    return lines
