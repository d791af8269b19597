"""What one simulation is made of: a value that a seed draws, and that can be made smaller.

Each seed has some kinds of fault and not others, so that the rarer ones have room to show what they do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from filebatch_local.base.faults import FAULTS, MISHAPS

CONTENTS = ("good", "invalid", "bug", "kills", "hungry", "slow", "flaky", "wordy", "unsound")
WEIGHTS = (12, 2, 1, 2, 1, 1, 1, 1, 1)
BEGUN = (0.0, 0.0, 0.0, 0.0, 14.0, 40.0)  # hours
HOUR = 3600.0


@dataclass(frozen=True)
class Drop:
    """A file that is put: when, under which name, what it is like, and how many hours before its upload was begun."""

    at: float
    name: str
    content: str
    begun: float = 0.0

    def __str__(self) -> str:
        return f"{self.name} ({self.content}) is put" + (f", begun {self.begun:.0f} h before" if self.begun else "")


@dataclass(frozen=True)
class Act:
    """Something that somebody does: when, what, and by which number its object is picked."""

    at: float
    what: str
    pick: int = 0
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """One simulation, whole: the same plan gives the same history."""

    seed: int
    drops: tuple[Drop, ...]
    acts: tuple[Act, ...]
    faults: Mapping[str, float]
    mishaps: Mapping[str, float]
    hot: tuple[str, ...]  # operations that faults and stalls are much more frequent at
    feed: Mapping[str, Any]
    chaos: float  # seconds until the world calms down
    heartbeat: int  # seconds without which a run counts as dead
    victims: str = ""  # with what the names of those begin who stand still, and whose requests go wrong
    theme: str = ""


DAYS = ("", "", *(f"2026-0{month}-0{day}/" for month in (1, 2) for day in (1, 2, 3)))
HOT = ("submit_job", "list_jobs", "update_item", "put_object", "publish", "get_object", "query", "put_item")
ACTS = (
    "clear claim_files",
    "clear process_files",
    "clear notify",
    "mark failed",
    "delete run",
    "pause",
    "backfill",
    "force backfill",
    "keys",
    "force keys",
    "delete version",
    "terminate job",
    "manual run",
    "force backfill of now",
    "rename feed",
    "remove feed",
    "forbid notify",
    "spoil plan",
    "expire plan",
    "retry a failed run",
)


def drawn(seed: int) -> Plan:
    """Return what a seed draws from all there is."""
    random = Random(f"plan {seed}")
    chaos = random.choice((300.0, 900.0, 1800.0, 3600.0))
    days = random.sample(DAYS, random.choice((1, 2, len(DAYS))))
    drops = tuple(
        Drop(
            random.uniform(0, chaos * 0.8),
            random.choice(days) + f"f{random.randint(1, 12)}.csv",
            random.choices(CONTENTS, WEIGHTS)[0],
            random.choice(BEGUN),
        )
        for _ in range(random.choice((2, 4, 8, 14)))
    )
    kinds = random.sample(ACTS, random.randint(0, 5))
    acts = tuple(
        Act(random.uniform(10, chaos), random.choice(kinds), random.randrange(1000))
        for _ in range(random.choice((0, 2, 4, 8, 16)) if kinds else 0)
    )
    return Plan(
        seed=seed,
        drops=tuple(sorted(drops, key=lambda each: each.at)),
        acts=tuple(sorted(acts, key=lambda each: each.at)),
        faults=_rates(random, [fault.name for fault in FAULTS], (0.005, 0.02, 0.05)),
        mishaps=_rates(random, [*MISHAPS], (0.1, 0.3, 0.7)),
        hot=tuple(random.sample(HOT, random.choice((0, 0, 1, 2)))),
        feed={
            "max_attempts": random.choice((1, 2, 3)),
            "packing": {"files": random.choice((1, 2, 3, 100)), "claim": random.choice((2, 4, 10_000))},
            "timeout": random.choice((60, 300)),
            "fail_run_on": random.choice(("failed", "failed", "invalid", "never")),
        },
        chaos=chaos,
        heartbeat=random.choice((120, 900)),
    )


def _rates(random: Random, names: list[str], rates: tuple[float, ...]) -> dict[str, float]:
    """Return how often each kind happens; most kinds don't."""
    share = random.choice((0.0, 0.3, 0.6))
    return {name: random.choice(rates) for name in names if random.random() < share}
