"""`make bench-doorbells`: what 500 idle feeds add to a triggerer, in CPU and memory, beside the stock SQS trigger.

Real triggerers of a local system of its own: first with all feeds paused, so that the triggerer runs no doorbells, then
unpaused on one triggerer and on two, then with the stock trigger on the same queues.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

import marked_part
from filebatch_local.base.layout import Layout
from filebatch_local.base.ports import free_port
from local_system import airflow, parts
from local_system.config import Config, airflow_environment
from local_system.system import down, up

CPU_TARGET = 10.0  # % of a core
MEMORY_TARGET = 250.0  # MB
WINDOW = 5.0  # seconds over which a start's end is looked for
IDLE = 0.9  # a triggerer has started when it uses no less than this part of what it used in the window before
TIMEOUT = 900.0  # seconds; it only says when to give up
ROOT = Layout.here().root
# Each feed's schedule with runs that cost nothing; and the stock trigger on each feed's queue.
DAG_FILES = (ROOT / "tests" / "scheduler" / "bells_file.py", ROOT / "bench" / "stock_bells.py")


@dataclass(frozen=True)
class Cost:
    """What one triggerer uses: % of a core; MB of memory, where pages that two processes share count twice.

    It forks the process that runs triggers, and the first trigger of any kind ends most of the sharing: that isn't
    counted as what feeds add.
    """

    share: float
    memory: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.share - other.share, self.memory - other.memory)

    def __str__(self) -> str:
        return f"{self.share:5.1f} % of a core, {self.memory:4.0f} MB"


@dataclass(frozen=True)
class Found:
    """What idle feeds add to one triggerer, to each of two, and what as many stock triggers add to one, if measured."""

    feeds: int
    one: Cost
    two: Sequence[Cost]
    stock: Cost | None


def measure(triggerers: Sequence[parts.Part], seconds: float) -> list[Cost]:
    """Measure triggerers, each with the process that runs its triggers."""
    trees = [[process, *process.children()] for process in (psutil.Process(part.pid) for part in triggerers)]
    _wait_until_started(trees)
    return _costs(trees, seconds)


def _wait_until_started(trees: Sequence[Sequence[psutil.Process]]) -> None:
    """Wait until the processes' CPU no longer falls from one window to the next."""
    before = float("inf")

    def started() -> bool:
        nonlocal before
        last, before = before, sum(cost.share for cost in _costs(trees, WINDOW))
        return before >= IDLE * last

    _wait(started)


def _costs(trees: Sequence[Sequence[psutil.Process]], seconds: float) -> list[Cost]:
    """Measure for so many seconds what each tree of processes uses."""
    began, before = time.monotonic(), [_cpu(tree) for tree in trees]
    time.sleep(seconds)
    taken = time.monotonic() - began
    return [
        Cost(100 * (_cpu(tree) - used) / taken, sum(process.memory_info().rss for process in tree) / 1e6)
        for tree, used in zip(trees, before, strict=True)
    ]


def _cpu(tree: Sequence[psutil.Process]) -> float:
    return float(sum(times.user + times.system for times in (process.cpu_times() for process in tree)))


class LocalSystem:
    """A local system whose DAGs are unpaused and whose triggerers are started as needed."""

    def __init__(self, config: Config, feeds: Collection[str]) -> None:
        self._config = config
        self._aws = up(config, ("--feeds", str(config.dags) + "/feeds"))
        self.feeds = set(feeds)
        self.stock = {f"stock-{feed}" for feed in feeds}

    def triggerers(self, count: int) -> list[parts.Part]:
        """Stop all triggerers, start so many, and wait until Airflow lists them."""
        others = [part for part in parts.recorded(self._config) if part.name != "triggerer"]
        parts.stop([part for part in parts.recorded(self._config) if part.name == "triggerer"])
        parts.record(self._config, others)
        environment = airflow_environment(self._config, self._aws.endpoint, self._aws.settings, self._aws.key)
        parts.start_all(self._config, ["triggerer"] * count, environment)
        _wait(lambda: airflow.triggerers(self._config.api) == count)
        return [part for part in parts.recorded(self._config) if part.name == "triggerer"]

    def unpause_only(self, *dag_ids: str) -> None:
        """Unpause these DAGs and pause all others, and wait until Airflow has the watchers of these alone."""
        for dag_id in self.feeds | self.stock:
            airflow.ask(self._config.api, "PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": dag_id not in dag_ids})
        _wait(lambda: airflow.watched(self._config.api) == set(dag_ids))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 0 where the targets are met, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feeds", type=int, default=500)
    parser.add_argument("--no-stock", action="store_true", help="leave out the stock triggers: they take a core")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--write", type=Path, help="the document that gets the table")
    parser.add_argument("--seconds", type=float, default=320.0, help="long enough for each health report to be sent")
    options = parser.parse_args(arguments)
    feeds = [f"feed{number:03d}" for number in range(options.feeds)]
    with tempfile.TemporaryDirectory() as folder:
        state, dags = Path(folder) / "state", _dags(Path(folder), feeds)
        config = Config(Layout.here(state), Path(sys.executable), free_port(), free_port(), dags)
        try:
            found = compare(LocalSystem(config, feeds), options.seconds, stock=not options.no_stock)
        finally:
            down(config)
    print(table := "\n".join(lines(found)))
    if options.json:
        options.json.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
    if options.write:
        marked_part.write(options.write, "bench-doorbells", table)
    met = found.one.share < CPU_TARGET and found.one.memory < MEMORY_TARGET
    print(f"target (< {CPU_TARGET:.0f} %, < {MEMORY_TARGET:.0f} MB): {'met' if met else 'MISSED'}")
    return 0 if met else 1


def lines(found: Found) -> Iterator[str]:
    """Yield the table's lines."""
    yield "| what idle feeds add | feeds | % of a core | MB |"
    yield "|---|---|---|---|"
    rows = [("to one triggerer", found.one), *(("to one of two", each) for each in found.two)]
    rows += [("as many stock SQS triggers, to one triggerer", found.stock)] if found.stock else []
    for what, cost in rows:
        yield f"| {what} | {found.feeds} | {cost.share:.1f} | {cost.memory:.0f} |"
    yield ""
    yield f"Targets for one: {CPU_TARGET:.0f} % of a core and {MEMORY_TARGET:.0f} MB."


def compare(system: LocalSystem, seconds: float, *, stock: bool) -> Found:
    """Return what idle feeds add to each triggerer, and what as many stock triggers do where that is wanted."""
    system.unpause_only()
    (idle,) = measure(system.triggerers(1), min(seconds, 60.0))
    _say(f"a triggerer without doorbells: {idle}")
    system.unpause_only(*system.feeds)
    added = [
        cost - idle
        for count in (1, 2)
        for cost in _told(f"with {len(system.feeds)} idle feeds", measure(system.triggerers(count), seconds))
    ]
    return Found(len(system.feeds), added[0], added[1:], _stock(system, seconds) - idle if stock else None)


def _stock(system: LocalSystem, seconds: float) -> Cost:
    system.unpause_only(*system.stock)
    return _told("with stock triggers", measure(system.triggerers(1), min(seconds, 60.0)))[0]


def _told(what: str, costs: Sequence[Cost]) -> Sequence[Cost]:
    for cost in costs:
        _say(f"one of {len(costs)} {what}: {cost}")
    return costs


def _say(text: str) -> None:
    print(text, flush=True)


def _dags(folder: Path, feeds: Sequence[str]) -> Path:
    dags = folder / "dags"
    (dags / "feeds").mkdir(parents=True)
    for file in DAG_FILES:
        shutil.copy(file, dags)
    for name in feeds:
        feed = f"prefix: {name}/\nstart: 2020-01-01\nschedule: 0 0 29 2 *\n"
        (dags / "feeds" / f"{name}.yaml").write_text(feed, encoding="utf-8")
    return dags


def _wait(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"Airflow didn't get there within {TIMEOUT:.0f} s")
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
