"""`make bench-doorbells`: what 60 idle feeds add to a triggerer, in CPU and memory, beside the stock SQS trigger.

Real triggerers of a whole local system of its own: first with all feeds paused, which takes their doorbells from the
triggerer, then awake on one triggerer and on two, then with the stock trigger on the same queues.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from filebatch_local.base.layout import Layout
from filebatch_local.base.ports import free_port
from local_system import airflow, parts
from local_system.config import Config, airflow_environment
from local_system.system import down, up

CPU_TARGET = 10.0  # % of a core
MEMORY_TARGET = 100.0  # MB
SETTLING = 30.0  # seconds after a start
PATIENCE = 180.0
ROOT = Layout.here().root
# Each feed's schedule with runs that cost nothing; and the stock trigger on each feed's queue.
DAG_FILES = (ROOT / "tests" / "scheduler" / "bells_file.py", ROOT / "bench" / "stock_bells.py")


@dataclass(frozen=True)
class Cost:
    """What one triggerer takes: % of a core; MB of memory, where pages that two processes share count twice.

    It forks the process that runs triggers, and the first trigger of any kind ends most of the sharing: that isn't
    counted as what feeds add.
    """

    share: float
    memory: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.share - other.share, self.memory - other.memory)

    def __str__(self) -> str:
        return f"{self.share:5.1f} % of a core, {self.memory:4.0f} MB"


def measure(triggerers: Sequence[parts.Part], seconds: float) -> list[Cost]:
    """Watch triggerers, the process that each runs its triggers in included."""
    time.sleep(SETTLING)
    trees = [[process, *process.children()] for process in (psutil.Process(part.pid) for part in triggerers)]
    began, before = time.monotonic(), [_cpu(tree) for tree in trees]
    time.sleep(seconds)
    taken = time.monotonic() - began
    return [
        Cost(100 * (_cpu(tree) - used) / taken, sum(process.memory_info().rss for process in tree) / 1e6)
        for tree, used in zip(trees, before, strict=True)
    ]


def _cpu(tree: Sequence[psutil.Process]) -> float:
    return float(sum(times.user + times.system for times in (process.cpu_times() for process in tree)))


class UnitContext:
    """A local system whose feeds and triggerers are awake as they are needed."""

    def __init__(self, config: Config, feeds: Collection[str]) -> None:
        self._config = config
        self._aws = up(config, ("--feeds", str(config.dags) + "/feeds"))
        self.feeds = set(feeds)
        self.stock = {f"stock-{feed}" for feed in feeds}

    def triggerers(self, count: int) -> list[parts.Part]:
        """End all triggerers, start so many, and wait until Airflow has heard of them."""
        others = [part for part in parts.recorded(self._config) if part.name != "triggerer"]
        parts.stop([part for part in parts.recorded(self._config) if part.name == "triggerer"])
        parts.record(self._config, others)
        environment = airflow_environment(self._config, self._aws.endpoint, self._aws.settings, self._aws.key)
        parts.start_all(self._config, ["triggerer"] * count, environment)
        _wait(lambda: airflow.triggerers(self._config.api) == count)
        return [part for part in parts.recorded(self._config) if part.name == "triggerer"]

    def wake(self, *dag_ids: str) -> None:
        """Have these DAGs awake and no others, and wait until their watchers have come and all others have gone."""
        for dag_id in self.feeds | self.stock:
            airflow.ask(self._config.api, "PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": dag_id not in dag_ids})
        _wait(lambda: airflow.watched(self._config.api) == set(dag_ids))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and say whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feeds", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=320.0, help="long enough for each health report to be sent")
    options = parser.parse_args(arguments)
    feeds = [f"feed{number:03d}" for number in range(options.feeds)]
    with tempfile.TemporaryDirectory() as folder:
        state, dags = Path(folder) / "state", _dags(Path(folder), feeds)
        config = Config(Layout.here(state), Path(sys.executable), free_port(), free_port(), dags)
        try:
            added = compare(UnitContext(config, feeds), options.seconds)
        finally:
            down(config)
    met = all(cost.share < CPU_TARGET and cost.memory < MEMORY_TARGET for cost in added)
    print(f"target (< {CPU_TARGET:.0f} %, < {MEMORY_TARGET:.0f} MB): {'met' if met else 'MISSED'}")
    return 0 if met else 1


def compare(bench: UnitContext, seconds: float) -> list[Cost]:
    """Return what idle feeds add to each triggerer."""
    bench.wake()
    (idle,) = measure(bench.triggerers(1), min(seconds, 60.0))
    print(f"a triggerer without doorbells: {idle}", flush=True)
    bench.wake(*bench.feeds)
    added = []
    for count in (1, 2):
        for cost in measure(bench.triggerers(count), seconds):
            added.append(cost - idle)
            print(f"{len(bench.feeds)} idle feeds add to one of {count}: {added[-1]}", flush=True)
    bench.wake(*bench.stock)
    stock = measure(bench.triggerers(1), min(seconds, 60.0))[0] - idle
    ours = added[0]
    print(f"as many stock SQS triggers add to one: {stock}")
    print(
        f"ours beside stock: {ours.share / stock.share:.2f} of the CPU, {ours.memory / stock.memory:.2f} of the memory"
    )
    return added


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
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"nothing within {PATIENCE:.0f} s")
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
