"""`make bench-files`: what files cost from bucket to result, beside a pipeline of stock operators and a bare loop.

All run on one local AWS in one run, with the same files of 50 rows: their ratios hold on any machine, the seconds on
this one. The stock pipeline is `bench/stock/dags/stock.py`: a deferrable S3KeySensor, a mapped deferrable BatchOperator
and a mapped SnsPublishOperator. The bare loop, `bench/stock/convert.py`, does the same conversion serially, without a
guarantee. Both pipelines run by `airflow dags test`, whose CPU is Airflow's.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import marked_part
from filebatch_local.base.layout import WORKER_IMAGE, Layout
from filebatch_local.batch.images import ImageEnv, of_repository
from filebatch_local.serve.background import LocalAws, local_aws
from filebatch_local.serve.shell import environment

ROOT = Path(__file__).parents[1]
STOCK = ROOT / "bench" / "stock"
ROWS = 50
FEED = "tables"
SUBMITS = "/v1/submitjob"
TASK_STARTS = re.compile(r"\[DAG TEST\] starting task_id=")


@dataclass(frozen=True)
class Cost:
    """What one way took for some files; seconds, and AWS calls by service of whoever made them."""

    way: str
    files: int
    wall: float
    cpu: float
    tasks: int
    submits: int
    calls: Mapping[str, int]


@dataclass(frozen=True)
class Bench:
    """A local AWS with a recording, and the environment of who uses it."""

    aws: LocalAws
    recording: Path
    variables: Mapping[str, str]

    def put(self, prefix: str, count: int) -> None:
        """Put files of some rows under a prefix."""
        s3, bucket = self.aws.client("s3"), self.aws.settings["buckets"]["new_files"]
        for number in range(count):
            rows = "".join(
                f"{number},{row},item {row},{row * 1.25:.2f},2026-01-{row % 28 + 1:02d}\n" for row in range(ROWS)
            )
            s3.put_object(
                Bucket=bucket, Key=f"{prefix}{number:05d}.csv", Body=f"file,id,name,price,day\n{rows}".encode()
            )

    def run(self, way: str, files: int, command: Sequence[str], **more: str) -> Cost:
        """Run a command, and return what it and the jobs that it started cost."""
        before, began = len(self._recorded()), time.monotonic()
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(command, env={**self.variables, **more}, stdout=output, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - began
            output.seek(0)
            told = output.read()
        if status:
            raise SystemExit(f"{way}: ended with {os.waitstatus_to_exitcode(status)}\n{told[-4000:]}")
        recorded = (json.loads(line) for line in self._recorded()[before:])
        made = [call for call in recorded if "key" in call]  # less what services do by themselves
        calls = Counter(call["service"] for call in made)
        submits = sum(call["path"].endswith(SUBMITS) for call in made)
        cpu, tasks = usage.ru_utime + usage.ru_stime, len(TASK_STARTS.findall(told))
        return Cost(way, files, round(wall, 1), round(cpu, 1), tasks, submits, dict(sorted(calls.items())))

    def dags_test(self, way: str, dag: str, files: int, **more: str) -> Cost:
        """Run a DAG once with `airflow dags test`."""
        airflow = str(Path(sys.executable).parent / "airflow")
        return self.run(way, files, (airflow, "dags", "test", dag), **more)

    def loop(self, prefix: str, files: int) -> Cost:
        """Run the bare loop over the files of a prefix."""
        python = str(ROOT / ".venv-worker" / "bin" / "python")
        return self.run("bare loop", files, (python, str(STOCK / "convert.py")), PREFIX=prefix)

    def _recorded(self) -> list[str]:
        return self.recording.read_text(encoding="utf-8").splitlines() if self.recording.exists() else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write JSON and document where asked to."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--stock", type=int, default=50, help="files of the stock pipeline (default: 50)")
    parser.add_argument("--files", type=int, nargs="*", default=[50, 1000], help="files of ours and of the loop")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--write", type=Path, help="the document that gets the table")
    given = parser.parse_args(arguments)
    with bench() as here:
        costs = list(measured(here, given.stock, given.files))
    table = "\n".join(lines(costs))
    print(table)
    if given.json:
        given.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=1) + "\n", encoding="utf-8")
    if given.write:
        marked_part.write(given.write, "bench-files", table)
    return 0


def measured(here: Bench, stock: int, sizes: Sequence[int]) -> Iterator[Cost]:
    """Yield each way's cost: nothing to do, ours and the loop for each number of files, the stock pipeline."""
    yield here.dags_test("ours, nothing to do", FEED, 0)
    for size in sizes:
        prefix = f"{FEED}/{size}-"
        here.put(prefix, size)
        yield here.loop(prefix, size)
        yield here.dags_test("ours", FEED, size)
    if stock:
        here.put("stock/", stock)
        yield here.dags_test("stock operators", "stock", stock, AIRFLOW__CORE__DAGS_FOLDER=str(STOCK / "dags"))


@contextmanager
def bench(dags: Path = ROOT / "dags") -> Iterator[Bench]:
    """Start a local AWS that has the stock pipeline's job beside the feeds of `dags`, and its own AIRFLOW_HOME."""
    layout = Layout.here()
    worker = of_repository(layout)[WORKER_IMAGE]
    with tempfile.TemporaryDirectory(prefix="filebatch-bench-") as name:
        folder = Path(name)
        home, recording = folder / "airflow", folder / "requests.jsonl"
        home.mkdir()
        shutil.copy(layout.airflow_home(Path(sys.prefix)) / "pristine.db", home / "airflow.db")
        images = {WORKER_IMAGE: ImageEnv(worker.path, worker.env)}
        options = ("--record", str(recording))
        with local_aws(images=images, feeds_dir=dags / "feeds", options=options) as aws:
            stock = _stock(aws)
            shell = environment(layout, aws.endpoint, aws.settings, aws.key)
            own = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
            yield Bench(aws, recording, {**os.environ, **shell, **own, **stock})


def _stock(aws: LocalAws) -> dict[str, str]:
    """Register the stock pipeline's job; return its settings."""
    names = {
        "STOCK_BUCKET": aws.settings["buckets"]["new_files"],
        "STOCK_RESULTS": aws.settings["buckets"]["results"],
        "STOCK_QUEUE": aws.settings["job_queue"],
        "STOCK_TABLE": aws.settings["ledger"],
        "STOCK_TOPIC": next(iter(aws.settings["topics"].values())),
        "STOCK_DEFINITION": "stock",
    }
    container: dict[str, Any] = {
        "image": WORKER_IMAGE,
        "command": ["python", str(STOCK / "convert.py")],
        "environment": [{"name": name, "value": value} for name, value in names.items()],
        "jobRoleArn": "arn:aws:iam::123456789012:role/job",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "resourceRequirements": [{"type": "VCPU", "value": "0.5"}, {"type": "MEMORY", "value": "1024"}],
    }
    aws.client("batch").register_job_definition(
        jobDefinitionName="stock", type="container", platformCapabilities=["FARGATE"], containerProperties=container
    )
    return names


def lines(costs: Sequence[Cost]) -> Iterator[str]:
    """Yield the table's lines, and what of ours is left beside the loop once a run that finds nothing is taken off."""
    yield f"{os.cpu_count()} CPUs; {ROWS} rows a file; seconds; calls of Airflow and jobs together."
    yield ""
    yield "| way | files | wall | CPU of Airflow or loop | task instances | SubmitJob | AWS calls | by service |"
    yield "|---|---|---|---|---|---|---|---|"
    for cost in costs:
        services = ", ".join(f"{service} {count}" for service, count in cost.calls.items())
        counts = f"{cost.tasks or ''} | {cost.submits or ''} | {sum(cost.calls.values())}"
        yield f"| {cost.way} | {cost.files} | {cost.wall} | {cost.cpu} | {counts} | {services} |"
    yield ""
    yield from _ratios(costs)
    yield from plots(costs)


def plots(costs: Sequence[Cost]) -> Iterator[str]:
    """Yield plots of seconds, and of what Airflow has to do, by number of files, where there are two at least.

    In Mermaid, which GitHub draws: https://mermaid.js.org/syntax/xyChart.html
    """
    ours, loop = ([cost for cost in costs if cost.way == way] for way in ("ours", "bare loop"))
    if len(ours) < 2:
        return
    sizes = [cost.files for cost in ours]
    yield from _plot(
        "Seconds, ours (first) and the bare loop", sizes, [[each.wall for each in way] for way in (ours, loop)]
    )
    work = [[float(cost.tasks) for cost in ours], [float(cost.submits) for cost in ours]]
    yield from _plot("Task instances (first) and SubmitJob calls of ours", sizes, work)


def _plot(title: str, sizes: Sequence[int], series: Sequence[Sequence[float]]) -> Iterator[str]:
    yield from ("", "```mermaid", "xychart-beta", f'  title "{title}"')
    yield f'  x-axis "files" [{", ".join(map(str, sizes))}]'
    yield from (f"  line [{', '.join(f'{value:g}' for value in values)}]" for values in series)
    yield "```"


def _ratios(costs: Sequence[Cost]) -> Iterator[str]:
    found = {(cost.way, cost.files): cost for cost in costs}
    nothing = found["ours, nothing to do", 0]
    for (way, files), cost in found.items():
        ours = found.get(("ours", files))
        if ours and way == "bare loop":
            ratio = (ours.wall - nothing.wall) / cost.wall
            yield f"- {files} files: ours, less a run that finds nothing, takes {ratio:.2f} times the loop's time."
        if ours and way == "stock operators":
            wall, cpu = cost.wall / ours.wall, cost.cpu / ours.cpu
            yield f"- {files} files: stock operators take {wall:.1f} times our time, {cpu:.1f} times our Airflow CPU."


if __name__ == "__main__":
    sys.exit(main())
