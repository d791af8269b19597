"""Themes: a seed that has one concentrates on some acts, so that what they need beside each other comes together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random

from simulation.plan import HOUR, Act, Drop, Plan, drawn


def _acts(random: Random, kinds: Sequence[str], number: int, first: float, last: float) -> tuple[Act, ...]:
    found = (Act(random.uniform(first, last), random.choice(kinds), random.randrange(1000)) for _ in range(number))
    return tuple(sorted(found, key=lambda each: each.at))


def _drops(random: Random, number: int, last: float, contents: Sequence[str] = ("good",), day: str = "") -> list[Drop]:
    """Return files of different names, so that none replaces another one."""
    found = [
        Drop(random.uniform(0, last), f"{day}g{each:02}.csv", random.choice(contents), random.choice((0.0, 0.0, 14.0)))
        for each in range(number)
    ]
    return sorted(found, key=lambda each: each.at)


def _only(rates: Mapping[str, float], *names: str) -> dict[str, float]:
    return {name: rate for name, rate in rates.items() if name in names}


def renamed(random: Random, plan: Plan) -> Plan:
    """A feed gets another name again and again, while files wait or are deleted for good."""
    kinds = ("rename feed", "rename feed", "delete version", "pause")
    acts = _acts(random, kinds, 12, 30, plan.chaos)
    return replace(plan, acts=acts, drops=tuple(_drops(random, 12, plan.chaos * 0.9)))


def forced(random: Random, plan: Plan) -> Plan:
    """More files are asked for again than a claim takes."""
    pick = random.randrange(6)
    day = f"2026-0{1 + pick % 2}-0{1 + pick // 2 % 3}/"
    acts = (Act(random.uniform(0.5, 0.9) * HOUR, "force backfill", pick), *plan.acts[:2])
    packing = {"files": random.choice((1, 3)), "claim": random.choice((1, 2))}
    drops = tuple(_drops(random, random.choice((4, 8)), 0.2 * HOUR, ("good", "good", "invalid"), day))
    return replace(plan, acts=acts, drops=drops, chaos=HOUR, feed={**plan.feed, "packing": packing})


def begun_before(random: Random, plan: Plan) -> Plan:
    """Uploads that took days are asked for by their day."""
    times = (random.uniform(0, 0.2) * HOUR for _ in range(4))
    drops = tuple(
        Drop(at, f"g{each}.csv", "good", random.choice((14.0, 40.0))) for each, at in enumerate(sorted(times))
    )
    acts = (Act(random.uniform(0.5, 0.9) * HOUR, "force backfill of now"), *plan.acts[:2])
    return replace(plan, acts=acts, drops=drops, chaos=HOUR, mishaps={})


def ended(random: Random, plan: Plan) -> Plan:
    """Runs are ended, deleted and cleared while their tasks are at work."""
    kinds = ("mark failed", "delete run", "clear claim_files", "clear process_files", "clear notify", "terminate job")
    return replace(plan, acts=_acts(random, kinds, 16, 10, plan.chaos))


def stood_still(random: Random, plan: Plan) -> Plan:
    """Tasks that claim files stand still for minutes, are taken for dead meanwhile, and die of what they do next."""
    hot = ("update_item", random.choice(("put_object", "batch_get_item", "put_item")))
    mishaps = {**_only(plan.mishaps, "event lost", "ring lost"), "stall": 0.1}
    drops = tuple(_drops(random, 12, 0.8 * HOUR))
    kinds = ("mark failed", "delete run", "force keys", "force keys")
    return replace(
        plan,
        acts=_acts(random, kinds, 4, 100, HOUR),
        drops=drops,
        chaos=HOUR,
        heartbeat=120,
        hot=hot,
        victims="claim_files",
        faults={"died after": 0.02},
        mishaps=mishaps,
    )


def retried(random: Random, plan: Plan) -> Plan:
    """Runs whose files failed are cleared, and end while they begin another round."""
    kinds = ("retry a failed run", "give up", "mark failed")
    feed = {**plan.feed, "max_attempts": 3, "fail_run_on": "failed", "packing": {"files": 1, "claim": 10_000}}
    drops = tuple(_drops(random, 10, 0.7 * plan.chaos, ("bug", "flaky", "kills", "good")))
    return replace(
        plan,
        acts=_acts(random, kinds, 24, 100, plan.chaos),
        drops=drops,
        feed=feed,
        hot=("update_item",),
        faults={"died after": 0.01},
        mishaps=_only(plan.mishaps, "two tries", "killed"),
    )


def expired(random: Random, plan: Plan) -> Plan:
    """Plans that a claim needs still are gone, or can't be read."""
    acts = (
        Act(random.uniform(30, plan.chaos * 0.8), random.choice(("expire plan", "spoil plan")), random.randrange(9)),
    )
    contents = ("good", "bug", "kills", "slow")
    drops = tuple(_drops(random, 10, 0.8 * plan.chaos, contents))
    return replace(plan, acts=(*acts, *plan.acts[:2]), drops=drops)


def forbidden(random: Random, plan: Plan) -> Plan:
    """Nobody may publish for most of an hour, in which claim after claim is settled."""
    acts = (Act(10.0, "forbid notify", random.randint(900, 999)),)
    drops = tuple(_drops(random, 14, 0.5 * HOUR))
    packing = {"files": 1, "claim": random.choice((1, 2))}
    return replace(
        plan, acts=acts, drops=drops, chaos=HOUR, feed={**plan.feed, "packing": packing}, faults={}, mishaps={}
    )


def settled_late(random: Random, plan: Plan) -> Plan:
    """Tasks that settle a round stand still, and the next one begins meanwhile; its files take minutes."""
    kinds = ("retry a failed run", "clear process_files", "manual run")
    packing = {"files": 1, "claim": 10_000}
    feed = {**plan.feed, "max_attempts": 3, "fail_run_on": "failed", "packing": packing, "timeout": 300}
    return replace(
        plan,
        acts=_acts(random, kinds, 12, 300, HOUR),
        drops=tuple(_drops(random, 6, 0.4 * HOUR, ("slow", "slow", "slow", "kills"))),
        chaos=HOUR,
        heartbeat=120,
        feed=feed,
        hot=("get_object", "describe_jobs"),
        victims="process_files",
        faults={},
        mishaps={"stall": 0.1},
    )


def twice(random: Random, plan: Plan) -> Plan:
    """A task that was cleared goes on for a while beside its next try."""
    kinds = ("clear claim_files", "clear process_files", "retry a failed run")
    return replace(
        plan,
        acts=_acts(random, kinds, 24, 10, plan.chaos),
        drops=tuple(_drops(random, 12, plan.chaos * 0.8, ("good", "flaky", "bug"))),
        faults={},
        mishaps={**_only(plan.mishaps, "index lag", "unlisted", "outlives"), "two tries": 0.9},
    )


THEMES: Mapping[str, Callable[[Random, Plan], Plan]] = {
    each.__name__: each
    for each in (renamed, forced, begun_before, ended, stood_still, retried, expired, forbidden, settled_late, twice)
}


def theme_of(seed: int) -> str:
    """Return a seed's theme, "" for none: half of them have one."""
    return Random(f"theme {seed}").choice((*[""] * len(THEMES), *THEMES))


def draw(seed: int) -> Plan:
    """Return the plan of a seed."""
    theme, plan = theme_of(seed), drawn(seed)
    return replace(THEMES[theme](Random(f"{theme} {seed}"), plan), theme=theme) if theme else plan
