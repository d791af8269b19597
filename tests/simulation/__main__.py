"""`make simulate SEEDS=n FROM=m`: run simulations on two processes, and tell the first finding as a short story."""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator

from simulation import run, safeguards
from simulation.run import Outcome

PROCESSES = 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulation")
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first of them")
    parser.add_argument("--story", action="store_true", help="tell the whole history of the first seed")
    parser.add_argument("--calls", action="store_true", help="tell every call of it, too")
    parser.add_argument("--safeguards", action="store_true", help="take out each safeguard: which seed finds that?")
    given = parser.parse_args()
    if given.safeguards:
        return _safeguards(given.seeds)
    if given.story:
        print(run.told(run.one(run.plans.draw(given.first), every_call=given.calls)))
        return 0
    return _seeds(given.first, given.seeds)


def _seeds(first: int, number: int) -> int:
    began, found, calls, seconds = time.monotonic(), list[Outcome](), 0, 0.0
    for outcome in outcomes(first, number):
        calls, seconds = calls + outcome.calls, seconds + outcome.seconds
        if outcome.rule:
            found.append(outcome)
            print(f"seed {outcome.plan.seed}: {outcome.what}", flush=True)
    spent = time.monotonic() - began
    print(
        f"{number} seeds, {len(found)} findings; {calls} calls, {seconds / 3600:.0f} simulated hours in {spent:.0f} s"
    )
    if found:
        print(run.told(run.shrunk(found[0])))
    return bool(found)


def outcomes(first: int, number: int) -> Iterator[Outcome]:
    """Run seeds on all processes; their outcomes come in any order."""
    seeds = range(first, first + number)
    with multiprocessing.get_context("fork").Pool(PROCESSES, os.nice, (5,)) as pool:
        yield from pool.imap_unordered(run.seed, seeds, chunksize=10)


def _safeguards(seeds: int) -> int:
    missed = 0
    for name in safeguards.SAFEGUARDS:
        found = safeguards.first_seed(name, range(1, seeds + 1))
        missed += found is None
        print(
            f"{name}: " + (f"seed {found.plan.seed}: {found.rule}" if found else f"not within {seeds} seeds"),
            flush=True,
        )
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
