"""`make simulate SEEDS=n FROM=m`: run simulations on two processes, and tell the first finding as a short story."""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator

from simulation import run, safeguards, sweep, table, themes
from simulation.run import Outcome

PROCESSES = os.cpu_count() or 1
SWEPT = 2_500  # objects: two fifths of them are a page, after which the sweep is interrupted


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulation")
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first of them")
    parser.add_argument("--story", action="store_true", help="tell the whole history of the first seed")
    parser.add_argument("--calls", action="store_true", help="tell every call of it, too")
    parser.add_argument("--safeguards", action="store_true", help="take out each safeguard: which seed finds that?")
    parser.add_argument("--only", default="", help="of these the one of this name")
    parser.add_argument(
        "--sweep", type=int, default=0, help="sweep so many objects, 2,500 at least, with an interruption"
    )
    given = parser.parse_args()
    if given.sweep:
        if given.sweep < SWEPT:
            parser.error(f"--sweep: expected {SWEPT} objects at least, found {given.sweep}")
        print(sweep.sweep(given.sweep))
        return 0
    if given.safeguards:
        return _safeguards(given.seeds, given.only)
    if given.story:
        print(run.told(run.one(themes.draw(given.first), every_call=given.calls)))
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


def _safeguards(seeds: int, only: str) -> int:
    """Take out each safeguard, and write which seed finds that into the table of docs/guarantees.md."""
    missed = 0
    with multiprocessing.get_context("fork").Pool(PROCESSES, os.nice, (5,)) as pool:
        for name, found in pool.imap_unordered(_first_seed, _work(seeds, only)):
            missed += found is None and name not in safeguards.HELD_BY_TESTS
            told = f"seed {found.plan.seed}: {found.rule}" if found else f"not within {seeds} seeds"
            print(f"{name}: {told}", flush=True)
            if found or name in safeguards.HELD_BY_TESTS:
                table.write({name: found})
    return bool(missed)


def _work(seeds: int, only: str) -> list[tuple[str, list[int]]]:
    named = {name: table.by_seed(found) for name, (_, found) in table.rows().items()}
    known = {name: found[0] for name, found in named.items() if found}
    names = [name for name in safeguards.SAFEGUARDS if only in ("", name)]
    return [(name, safeguards.in_order(name, range(1, seeds + 1), known.get(name))) for name in names]


def _first_seed(work: tuple[str, list[int]]) -> tuple[str, Outcome | None]:
    return work[0], safeguards.first_seed(*work)


if __name__ == "__main__":
    sys.exit(main())
