"""What a deployment would change, and changing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deploy.contents import PARTS, Files, hashes, in_order, of, part
from deploy.deployments import RefusedError
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


def carry_out(plan: Plan, wanted: Files, place: Place) -> None:
    """Lay down the library before the DAGs that import it, and remove last; done again it does what is left."""
    for path in in_order([*plan.new, *plan.changed]):
        place.write(path, wanted[path])
    for path in plan.removed:
        place.remove(path)


def check_needs(needs: Mapping[str, str], place: Place) -> None:
    """See that what the DAGs need is there already.

    Raises:
        RefusedError: it isn't, or it's another.
    """
    wrong = unmet(needs, place)
    if wrong:
        raise RefusedError(
            f"{' and '.join(wrong)} there: not what these DAGs need; first `infra/plugins-zip infra/build/plugins.zip` "
            "and `terraform apply` in infra/ from the same commit, which updates the environment (20 to 30 minutes)"
        )


def unmet(needs: Mapping[str, str], place: Place) -> list[str]:
    """Return the paths of what is needed and isn't there as it's needed."""
    there = found(place, needs)
    return [path for path, name in needs.items() if there[path] != name]


def found(place: Place, paths: Iterable[str]) -> dict[str, str | None]:
    """Return the hash of what is there at each path, None where nothing is."""
    names = sorted(paths)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        contents = pool.map(place.read, names)
        return {path: None if content is None else of(content) for path, content in zip(names, contents, strict=True)}


def told(plan: Plan, needs: Iterable[str], unmet: Iterable[str]) -> list[str]:
    """Return the plan in lines, by part; what must be there before is told in the place of its part."""
    lines = []
    marks = (("+", plan.new), ("~", plan.changed), ("-", plan.removed))
    needed = {part(path): path for path in needs}
    for name in PARTS:
        those = [f"  {mark} {path}" for mark, paths in marks for path in paths if part(path) == name]
        if name in needed:
            is_there = (
                "another or none is there: `terraform apply` comes first" if needed[name] in unmet else "is there"
            )
            lines.append(f"{name}: {needed[name]} {is_there}")
        else:
            lines += [f"{name}: {len(those) or 'nothing'} to change", *those]
    return lines
