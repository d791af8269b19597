"""Running plans: one, many, and ever smaller ones for as long as they show the same."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from simulation import themes
from simulation.checks import Finding
from simulation.plan import Plan
from simulation.world import World


@dataclass(frozen=True)
class Outcome:
    """What became of a simulation: the rule that was broken ("" for none), how, and its history."""

    plan: Plan
    rule: str
    what: str
    digest: str
    calls: int
    seconds: float
    story: tuple[str, ...]


def one(plan: Plan, *, every_call: bool = False) -> Outcome:
    """Run a plan to its end, or to its first finding."""
    world, rule, what = World(plan), "", ""
    if every_call:
        world.trace.every = []
    try:
        world.run()
    except Finding as finding:
        rule, what = finding.rule, str(finding)
    trace = world.trace
    return Outcome(plan, rule, what, trace.digest, trace.calls, world.scheduler.seconds, tuple(trace.story))


def seed(number: int) -> Outcome:
    """Run a seed."""
    return one(themes.draw(number))


def shrunk(found: Outcome, tries: int = 300) -> Outcome:
    """Return the smallest history that breaks the same rule: fewer acts, files, faults and mishaps."""
    while tries > 0:
        for smaller in _smaller(found.plan):
            again = one(smaller)
            tries -= 1
            if again.rule == found.rule:
                found = again
                break
            if tries <= 0:
                return found
        else:
            return found
    return found


def _smaller(plan: Plan) -> Iterator[Plan]:
    for name in ("acts", "drops"):
        values = getattr(plan, name)
        if len(values) > 3:
            yield replace(plan, **{name: values[: len(values) // 2]})
            yield replace(plan, **{name: values[len(values) // 2 :]})
        yield from (replace(plan, **{name: values[:at] + values[at + 1 :]}) for at in range(len(values)))
    for name in ("faults", "mishaps"):
        rates = getattr(plan, name)
        yield from (
            replace(plan, **{name: {each: rate for each, rate in rates.items() if each != gone}}) for gone in rates
        )


def told(found: Outcome) -> str:
    """Tell a history in plain words: what was there, what happened, and which rule that breaks."""
    plan = found.plan
    theme = f"{plan.theme}: " if plan.theme else ""
    lines = [
        f"seed {plan.seed}: {found.what}",
        f"  {theme}{len(plan.drops)} files, {len(plan.acts)} acts; what may go wrong: "
        + (", ".join([*plan.faults, *plan.mishaps]) or "nothing"),
        *(f"  {line}" for line in found.story),
    ]
    return "\n".join(lines)
