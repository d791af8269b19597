"""`make bench-parse`: what loading our DAG folder costs, beside one that only imports the stock sensor and operator.

Fresh processes load both in turn; the medians of their CPU seconds are compared. So is what a task's process loads of
a folder of two feeds and of one of 502. With --check the exit code is 1 where ours costs more than 1.3 times as much,
or a task more than 0.3 s for the 500 feeds that it doesn't run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from airflow.sdk.definitions.context import _AIRFLOW_PARSING_CONTEXT_DAG_ID, _AIRFLOW_PARSING_CONTEXT_TASK_ID

ROOT = Path(__file__).parents[1]
RUNS = 9
ALLOWED = 1.3
ALLOWED_MORE = 0.3  # seconds
MANY = 500

STOCK = """
from airflow.sdk import DAG
from airflow.providers.amazon.aws.operators.batch import BatchOperator
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor

with DAG("stock", schedule=None):
    pass
"""

LOAD = """
import sys, time
from airflow.dag_processing.dagbag import DagBag
began = time.process_time()
bag = DagBag(sys.argv[1], include_examples=False)
spent = time.process_time() - began
assert bag.dags and not bag.import_errors, bag.import_errors
print(f"{spent:.4f} {time.process_time():.4f}", file=sys.__stdout__)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the medians and their ratios; return the exit code."""
    parser = argparse.ArgumentParser(description="CPU of loading our DAGs beside that of the stock operators alone.")
    parser.add_argument("--check", action="store_true", help=f"exit code 1 above {ALLOWED} times as much")
    check = parser.parse_args(arguments).check
    with tempfile.TemporaryDirectory() as home:
        ratio, more = _beside_stock(Path(home)), _task_of_many(Path(home))
    return int(check and (ratio > ALLOWED or more > ALLOWED_MORE))


def _beside_stock(home: Path) -> float:
    """Return how many times as much our folder costs a process as the stock imports do."""
    stock = home / "stock"
    stock.mkdir()
    (stock / "stock.py").write_text(STOCK, encoding="utf-8")
    ours, theirs = _in_turn(home, ROOT / "dags", stock)
    ratio = 0.0
    for index, what in enumerate(("loading alone", "whole process")):
        mine, other = (statistics.median(each[index] for each in found) for found in (ours, theirs))
        ratio = mine / other
        print(f"{what:14} ours {mine:.2f} s CPU, stock imports {other:.2f} s CPU, ratio {ratio:.2f}")
    return ratio


def _task_of_many(home: Path) -> float:
    """Return the CPU seconds that a task's process spends more on loading where there are 500 feeds more."""
    many = home / "many"
    shutil.copytree(ROOT / "dags", many)
    for number in range(MANY):
        (many / "feeds" / f"more-{number}.yaml").write_text(f"prefix: more-{number}/\nstart: 2026-01-01\n", "utf-8")
    files = [folder / "file_to_batch.py" for folder in (ROOT / "dags", many)]
    of_task = {_AIRFLOW_PARSING_CONTEXT_DAG_ID: "weather", _AIRFLOW_PARSING_CONTEXT_TASK_ID: "claim_files"}
    two, all_of_them = (
        statistics.median(loading for loading, _ in found) for found in _in_turn(home, *files, **of_task)
    )
    print(f"{'a task':14} of 2 feeds {two:.2f} s CPU, of {MANY + 2} feeds {all_of_them:.2f} s CPU")
    return all_of_them - two


def _in_turn(home: Path, *dags: Path, **variables: str) -> list[list[tuple[float, float]]]:
    """Return what each of the loads of each of some DAG folders or files costs."""
    rounds = [[_load(each, home, variables) for each in dags] for _ in range(RUNS)]
    return [list(found) for found in zip(*rounds, strict=True)]


def _load(dags: Path, home: Path, variables: Mapping[str, str]) -> tuple[float, float]:
    """Load a folder in a fresh process; return CPU seconds of the loading and of the whole process."""
    airflow = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    airflow |= {"AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    command = [sys.executable, "-c", LOAD, str(dags)]
    env = {**os.environ, **airflow, **variables, "PYTHONPATH": ""}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=home)
    if ended.returncode:
        raise SystemExit(ended.stdout + ended.stderr)
    loading, whole = ended.stdout.split()[-2:]
    return float(loading), float(whole)


if __name__ == "__main__":
    sys.exit(main())
