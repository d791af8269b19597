"""AWS at its meanest: what goes wrong next, decided by a seed and by nothing else.

The n-th request of a kind goes wrong or not, and so does the n-th chance of each mishap: the same seed says the same
each time, whatever happens beside it. Who makes it go wrong is serve/meanness.py and whatever is given a `Mean`.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from filebatch_local.base.faults import BY_NAME, Fault

log = logging.getLogger(__name__)

# How often a request goes wrong. What is sent again is so by the client itself, after an answer that was lost.
REQUESTS: Mapping[str, float] = {
    "throttled": 0.012,
    "broken": 0.008,
    "unreachable": 0.006,
    "answer lost": 0.006,
    "in conflict": 0.02,
}
# How often each thing goes wrong that isn't a request.
MISHAPS: Mapping[str, float] = {
    "index lag": 0.3,
    "event lost": 0.05,
    "event late": 0.25,
    "event twice": 0.25,
    "message twice": 0.15,
    "out of order": 0.5,
    "left out": 0.3,
    "unlisted": 0.5,
    "spot": 0.15,
    "slow start": 0.4,
}
SECONDS = 3.0  # what is late is so by up to so many
# AWS can't tell that it did these before: what is sent again counts twice, a limit that docs/architecture.md names.
NEVER_TWICE = frozenset({("sns", "publish"), ("monitoring", "put_metric_data")})
# By these another run may do a file than the one that was about to, or a container is there twice.
UNDECIDED = frozenset({"index lag", "event lost", "event late", "spot"})
# Which mishaps there are beside what happens to requests.
OF: Mapping[str, frozenset[str]] = {
    "requests": frozenset({"left out"}),
    "most": frozenset(MISHAPS) - UNDECIDED,
    "all": frozenset(MISHAPS),
}


def fault(seed: int, service: str, operation: str, number: int) -> tuple[Fault, float] | None:
    """Say what happens to the n-th request for an operation: a kind of fault and how bad (0 to 1); None for nothing."""
    random = Random(f"{seed} {service}.{operation} {number}")  # noqa: S311 - it has to be the same again
    drawn, bad = random.random(), random.random()
    for name, rate in REQUESTS.items():
        drawn -= rate
        if drawn < 0:
            return (BY_NAME[name], bad) if _may_happen(BY_NAME[name], service, operation) else None
    return None


def mishap(seed: int, name: str, number: int) -> float | None:
    """Say whether the n-th chance of a mishap is taken, and how bad it is then (0 to 1)."""
    random = Random(f"{seed} {name} {number}")  # noqa: S311 - as above
    drawn, bad = random.random(), random.random()
    return bad if drawn < MISHAPS[name] else None


def _may_happen(kind: Fault, service: str, operation: str) -> bool:
    return kind.may_happen_to(operation) and not (kind.applied and (service, operation) in NEVER_TWICE)


@dataclass
class Mean:
    """Counts requests and chances, and says of each what happens.

    Attributes:
        seed: decides all of it; None for an AWS that is kind.
        of: `requests`, what happens to single requests, which a client's own retries cope with; `most`, after which
            it still is decided which run does a file; or `all`.
        happened: how often each kind has happened.
    """

    seed: int | None = None
    of: str = "all"
    happened: Counter[str] = field(default_factory=Counter)
    _counted: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, service: str, operation: str) -> tuple[Fault, float] | None:
        """Say what happens to the next request for an operation."""
        if self.seed is None:
            return None
        number = self._next(f"{service}.{operation}")
        found = fault(self.seed, service, operation, number)
        if found and self.of == "requests" and found[0].only:
            return None  # no client tries again what was in conflict
        if found:
            self.happened[found[0].name] += 1
            log.info("seed %d: request %d for %s.%s: %s", self.seed, number, service, operation, found[0].name)
        return found

    def mishap(self, name: str) -> float | None:
        """Say whether the next chance of a mishap is taken, and how bad it is (0 to 1)."""
        if self.seed is None or name not in OF[self.of]:
            return None
        number = self._next(name)
        found = mishap(self.seed, name, number)
        if found is not None:
            self.happened[name] += 1
            log.info("seed %d: chance %d: %s, %.2f", self.seed, number, name, found)
        return found

    def late(self, name: str) -> float:
        """Return how many seconds later than it should something is; 0 where the next chance isn't taken."""
        return SECONDS * (self.mishap(name) or 0.0)

    def _next(self, what: str) -> int:
        with self._lock:
            self._counted[what] += 1
            return self._counted[what]
