"""`make bench-parse`: what loading our DAG folder costs, beside one that only imports the stock sensor and operator.

Fresh processes load both in turn; the medians of their CPU seconds are compared. With --check the
exit code is 1 where ours costs more than 1.3 times as much.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = 9
ALLOWED = 1.3

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
    with tempfile.TemporaryDirectory() as folder:
        stock = Path(folder) / "stock"
        stock.mkdir()
        (stock / "stock.py").write_text(STOCK, encoding="utf-8")
        loads: dict[Path, list[tuple[float, float]]] = {ROOT / "dags": [], stock: []}
        for _ in range(RUNS):
            for dags, found in loads.items():
                found.append(_load(dags, Path(folder)))
    ours, theirs = loads.values()
    ratio = 0.0
    for index, what in enumerate(("loading alone", "whole process")):
        mine, other = (statistics.median(each[index] for each in found) for found in (ours, theirs))
        ratio = mine / other
        print(f"{what:14} ours {mine:.2f} s CPU, stock imports {other:.2f} s CPU, ratio {ratio:.2f}")
    return int(check and ratio > ALLOWED)


def _load(dags: Path, home: Path) -> tuple[float, float]:
    """Load a folder in a fresh process; return CPU seconds of the loading and of the whole process."""
    airflow = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    airflow |= {"AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    command = [sys.executable, "-c", LOAD, str(dags)]
    ended = subprocess.run(
        command, env={**os.environ, **airflow, "PYTHONPATH": ""}, capture_output=True, text=True, check=False, cwd=home
    )
    if ended.returncode:
        raise SystemExit(ended.stdout + ended.stderr)
    loading, whole = ended.stdout.split()[-2:]
    return float(loading), float(whole)


if __name__ == "__main__":
    sys.exit(main())
