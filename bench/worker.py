"""Measures the tabular processor beside the engine under it: `COPY (read_csv) TO parquet, zstd` with the same threads.

Both read the same files in turn, each in a process of its own, several times in one run: their ratio holds although
other work on the machine doesn't. What is told of each is its least wall time and CPU time, and its peak memory: that
of all its processes, with what they share counted once (PSS). Run by `make bench-worker`; options: `--help`.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
from big_file import make_csv, make_lines

ROOT = Path(__file__).parents[1]
SIDES = ("ours", "engine")
SMALL_ROWS = 50
POLL_SECONDS = 0.02
TYPES = {
    "id": ("integer", "BIGINT"),
    "name": ("string", "VARCHAR"),
    "price": ("float", "DOUBLE"),
    "amount": ("decimal(12,2)", "DECIMAL(12,2)"),
    "day": ("date", "DATE"),
    "at": ("timestamp", "TIMESTAMP"),
    "active": ("boolean", "BOOLEAN"),
    "note": ("string", "VARCHAR"),
}


@dataclass(frozen=True)
class Work:
    """One line of the table: the files, what is declared of them, and how the engine alone reads them."""

    name: str
    paths: tuple[str, ...]
    options: Mapping[str, object]
    reader: str  # SQL with {path}
    bytes: int


@dataclass(frozen=True)
class Cost:
    """What a side took: seconds (wall, CPU of all threads) and the peak of its memory in MiB."""

    wall: float
    cpu: float
    peak: float


def main() -> int:
    """Make the files, measure, write JSON and the table; with `--side`, do one side's work of another process."""
    given = _arguments()
    if given.side:
        _do(given.side, Work(**json.loads(given.work)))
        return 0
    if given.memory:
        os.environ["FILEBATCH_MEMORY_MIB"] = str(given.memory)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.folder) as folder:
        works = list(_works(Path(folder), given))
        found = [(work, _measure(work, given.runs, Path(folder))) for work in works]
    report = _report(found, given)
    given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    table = _table(report)
    print(table)
    if given.write:
        _into_document(given.write, given.table, table)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the big CSV")
    parser.add_argument("--files", type=int, default=500, help="number of small files")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=("big", "small", "csv"), help="big files alone, small ones, or one big CSV")
    parser.add_argument("--memory", type=int, help="MiB of the job that ours believes to be in")
    parser.add_argument("--table", default="bench-worker", help="the part of the document that gets the table")
    parser.add_argument("--folder", type=Path, help="where the files are made")
    parser.add_argument("--json", type=Path, default=Path("bench-worker.json"))
    parser.add_argument("--write", type=Path, help="the document that gets the table")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    return parser.parse_args()


def _works(folder: Path, given: argparse.Namespace) -> Iterator[Work]:
    if given.only == "csv":
        plain = folder / "big.csv"
        make_csv(plain, given.megabytes * 10**6)
        yield Work("CSV, types found", (str(plain),), {}, "read_csv({path})", plain.stat().st_size)
        return
    if given.only != "small":
        yield from _big(folder, given.megabytes)
    if given.only != "big":
        yield _small(folder, given.files)


def _big(folder: Path, megabytes: int) -> Iterator[Work]:
    declared = {"columns": {name: ours for name, (ours, _) in TYPES.items()}}
    types = ", ".join(f"'{name}': '{sql}'" for name, (_, sql) in TYPES.items())
    plain, packed, lines = folder / "big.csv", folder / "big.csv.gz", folder / "big.ndjson"
    make_csv(plain, megabytes * 10**6)
    make_lines(lines, megabytes * 10**6)
    with plain.open("rb") as source, gzip.open(packed, "wb", compresslevel=6) as target:
        shutil.copyfileobj(source, target, 2**20)
    csv = Work("CSV, types found", (str(plain),), {}, "read_csv({path})", plain.stat().st_size)
    yield csv
    yield Work("CSV, types declared", csv.paths, declared, f"read_csv({{path}}, types={{{types}}})", csv.bytes)
    yield Work("CSV in gzip, types found", (str(packed),), {}, "read_csv({path})", packed.stat().st_size)
    yield Work("NDJSON", (str(lines),), {}, "read_json({path})", lines.stat().st_size)


def _small(folder: Path, count: int) -> Work:
    paths = tuple(_make_small(folder / f"small-{at}.csv", at) for at in range(count))
    size = sum(Path(path).stat().st_size for path in paths)
    return Work(f"{count} small files", paths, {}, "read_csv({path})", size)


def _make_small(path: Path, seed: int) -> str:
    chance = random.Random(seed)  # noqa: S311 - a table, not a secret
    lines = (
        f"{seed}{at:03},Name {chance.randrange(10**6)},2024-02-{at % 28 + 1:02},{chance.random():.3f}\n"
        for at in range(SMALL_ROWS)
    )
    path.write_text("id,name,day,amount\n" + "".join(lines), encoding="utf-8")
    return str(path)


def _measure(work: Work, runs: int, folder: Path) -> dict[str, Cost]:
    costs: dict[str, list[Cost]] = {side: [] for side in SIDES}
    for _ in range(runs):
        for side in SIDES:
            costs[side].append(_cost(side, work, folder))
    return {side: _least(found) for side, found in costs.items()}


def _least(found: list[Cost]) -> Cost:
    return Cost(min(cost.wall for cost in found), min(cost.cpu for cost in found), max(cost.peak for cost in found))


def _cost(side: str, work: Work, folder: Path) -> Cost:
    """Have a fresh process do the work, and watch its memory."""
    command = [sys.executable, __file__, "--side", side, "--work", json.dumps(asdict(work))]
    path = f"{ROOT / 'worker'}{os.pathsep}{ROOT / 'plugins'}"
    environment = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, sum(map(_pss, _family(process.pid))))
        time.sleep(POLL_SECONDS)
    told = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"{side}, {work.name}: the process ended with {process.returncode}")
    wall, cpu = json.loads(told)
    return Cost(wall, cpu, peak)


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in _family(int(child)))]


def _pss(pid: int) -> float:
    with contextlib.suppress(OSError):  # it has ended
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _do(side: str, work: Work) -> None:
    """Do the work and print its seconds of wall and CPU time; what is imported first is not measured."""
    one = _ours(work) if side == "ours" else _engine(work)
    with tempfile.TemporaryDirectory() as folder:
        began, used = time.perf_counter(), time.process_time()
        for at, path in enumerate(work.paths):
            one(Path(path), Path(folder) / str(at))
        print(json.dumps([time.perf_counter() - began, time.process_time() - used]))


def _ours(work: Work) -> Callable[[Path, Path], object]:
    from filebatch_worker.processor import Source, load_processor

    process = load_processor("tabular")

    def one(path: Path, workdir: Path) -> None:
        process(Source(path, path.name, path.stat().st_size), workdir, work.options)
        shutil.rmtree(workdir)

    return one


def _engine(work: Work) -> Callable[[Path, Path], object]:
    threads = os.environ.get("FILEBATCH_VCPU") or str(len(os.sched_getaffinity(0)))
    connection = duckdb.connect(config={"threads": threads})

    def one(path: Path, workdir: Path) -> None:
        workdir.mkdir()
        reader = work.reader.replace("{path}", f"'{path}'")
        connection.execute(f"COPY (FROM {reader}) TO '{workdir}/data.parquet' (FORMAT parquet, COMPRESSION zstd)")
        shutil.rmtree(workdir)

    return one


def _report(found: list[tuple[Work, dict[str, Cost]]], given: argparse.Namespace) -> dict[str, object]:
    works = [
        {"name": work.name, "bytes": work.bytes, "files": len(work.paths)}
        | {side: {name: round(value, 3) for name, value in asdict(cost).items()} for side, cost in costs.items()}
        | {"ratio_wall": round(costs["ours"].wall / costs["engine"].wall, 2)}
        | {"ratio_cpu": round(costs["ours"].cpu / costs["engine"].cpu, 2)}
        for work, costs in found
    ]
    return (
        {"engine": duckdb.__version__, "cpus": len(os.sched_getaffinity(0)), "runs": given.runs}
        | ({"memory": given.memory} if given.memory else {})
        | {"works": works}
    )


def _table(report: dict[str, object]) -> str:
    bounds = f" Ours in a job of {report['memory']} MiB, the engine alone unbounded." if "memory" in report else ""
    measured = f"{report['cpus']} CPUs, best of {report['runs']}; seconds of wall time (CPU)."
    lines = [
        f"DuckDB {report['engine']}, {measured}{bounds}",
        "",
        "| work | ours | engine alone | ratio of wall (CPU) | peak memory, MiB: ours, engine |",
        "|---|---|---|---|---|",
    ]
    for work in report["works"]:  # type: ignore[attr-defined]
        ours, engine = work["ours"], work["engine"]
        name = f"{work['name']}, {work['bytes'] / 10**6:.1f} MB"
        lines.append(
            f"| {name} | {ours['wall']:.2f} ({ours['cpu']:.2f}) | {engine['wall']:.2f} ({engine['cpu']:.2f}) "
            f"| {work['ratio_wall']} ({work['ratio_cpu']}) | {ours['peak']:.0f}, {engine['peak']:.0f} |"
        )
    return "\n".join(lines)


def _into_document(path: Path, name: str, table: str) -> None:
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = path.read_text(encoding="utf-8").partition(first)
    _, _, behind = rest.partition(last)
    path.write_text(f"{before}{first}\n{table}\n{last}{behind}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
