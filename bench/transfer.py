"""`make bench-transfer`: a big CSV from bucket to result, beside `aws s3 cp`, the engine's own COPY and `aws s3 cp`.

Both go through one local AWS in one run, in turn, and their results are compared value for value, in order. Ours goes
the whole way: Airflow claims the file, Batch starts a container, which fetches, converts and uploads, and the run
announces it. What a run that finds nothing takes is told beside, as it doesn't grow with the file.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
from big_file import make_csv
from files import Bench, bench

import marked_part

ROOT = Path(__file__).parents[1]
AWS, PYTHON = ROOT / ".venv-cli" / "bin" / "aws", ROOT / ".venv-worker" / "bin" / "python"
FEED = "transfer"
DOCUMENT = f"prefix: {FEED}/\nstart: 2020-01-01\nprocessor: tabular\nvcpu: 2\nmemory: 4096\n"
COPY = """import duckdb, sys
duckdb.execute(f"COPY (FROM read_csv('{sys.argv[1]}')) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)")
"""
DATA = "data.parquet"


@dataclass(frozen=True)
class Found:
    """Seconds of one run: of the three steps by hand, of ours, of a run that finds nothing, and of our job alone."""

    by_hand: Mapping[str, float]
    ours: float
    nothing: float
    job: float

    @property
    def ratio(self) -> float:
        """Ours, less what a run takes that finds nothing, by the steps by hand."""
        return (self.ours - self.nothing) / sum(self.by_hand.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write JSON and document where asked to. Fails where the results differ."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where files are made: five times the CSV's size")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--write", type=Path, help="the document that gets the table")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="filebatch-bench-", dir=given.folder) as name:
        folder = Path(name)
        with bench(_dags(folder / "dags")) as here:
            made = _put(here, folder, given.megabytes)
            found = [_measured(here, folder, number) for number in range(given.runs)]
    table = "\n".join(_lines(found, made))
    print(table)
    if given.json:
        given.json.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n", encoding="utf-8")
    if given.write:
        marked_part.write(given.write, "bench-transfer", table)
    return 0


def _dags(folder: Path) -> Path:
    (folder / "feeds").mkdir(parents=True)
    shutil.copy(ROOT / "dags" / "file_to_batch.py", folder)
    (folder / "feeds" / f"{FEED}.yaml").write_text(DOCUMENT, encoding="utf-8")
    return folder


def _put(here: Bench, folder: Path, megabytes: int) -> int:
    """Put the file where nobody looks yet, and return its size in bytes."""
    path = folder / "big.csv"
    make_csv(path, megabytes * 10**6)
    here.aws.client("s3").upload_file(str(path), _bucket(here), "waiting/big.csv")
    size = path.stat().st_size
    path.unlink()
    return size


def _measured(here: Bench, folder: Path, number: int) -> Found:
    results = here.aws.settings["buckets"]["results"]
    theirs = f"s3://{results}/by-hand/{number}.parquet"
    by_hand = _by_hand(here, folder, theirs)
    nothing = here.dags_test("nothing", FEED, 0).wall
    key = f"{FEED}/{number}.csv"
    here.aws.client("s3").copy({"Bucket": _bucket(here), "Key": "waiting/big.csv"}, _bucket(here), key)
    before = set(_written(here))
    ours = here.dags_test("ours", FEED, 1).wall
    written = sorted(set(_written(here)) - before)
    if len(written) != 1:
        raise SystemExit(f"expected one {DATA} among the results, found {written}")
    _compare(here, folder, theirs, f"s3://{results}/{written[0]}")
    return Found(by_hand, ours, nothing, _seconds_of_last_job(here))


def _by_hand(here: Bench, folder: Path, target: str) -> dict[str, float]:
    source, made = folder / "source.csv", folder / "made.parquet"
    steps: dict[str, list[str | Path]] = {
        "aws s3 cp": [AWS, "s3", "cp", "--quiet", f"s3://{_bucket(here)}/waiting/big.csv", source],
        "COPY": [PYTHON, "-c", COPY, source, made],
        "aws s3 cp back": [AWS, "s3", "cp", "--quiet", made, target],
    }
    seconds = {name: _seconds(here, command) for name, command in steps.items()}
    source.unlink()
    made.unlink()
    return seconds


def _seconds(here: Bench, command: Sequence[str | Path]) -> float:
    began = time.monotonic()
    subprocess.run(command, env={**os.environ, **here.variables}, check=True)
    return round(time.monotonic() - began, 1)


def _bucket(here: Bench) -> str:
    return str(here.aws.settings["buckets"]["new_files"])


def _written(here: Bench) -> Iterator[str]:
    pages = here.aws.client("s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=here.aws.settings["buckets"]["results"]):
        yield from (each["Key"] for each in page.get("Contents", []) if each["Key"].endswith(f"/{DATA}"))


def _seconds_of_last_job(here: Bench) -> float:
    batch = here.aws.client("batch")
    listed = batch.list_jobs(
        jobQueue=here.aws.settings["job_queue"], filters=[{"name": "AFTER_CREATED_AT", "values": ["0"]}]
    )
    last = max(listed["jobSummaryList"], key=lambda job: job["createdAt"])
    return float(round((last["stoppedAt"] - last["startedAt"]) / 1000, 1))


def _compare(here: Bench, folder: Path, theirs: str, ours: str) -> None:
    """Fail unless two tables have the same columns, and the same values in the same order."""
    found = []
    for side, address in (("theirs", theirs), ("ours", ours)):
        path = folder / f"{side}.parquet"
        _seconds(here, [AWS, "s3", "cp", "--quiet", address, path])
        with duckdb.connect() as engine:
            columns = engine.execute(f"DESCRIBE FROM '{path}'").fetchall()
            names = ", ".join(f'"{column[0]}"' for column in columns)
            digest = engine.execute(
                f"SELECT count(*), sum(CAST(hash(file_row_number, {names}) AS HUGEINT)) FROM read_parquet('{path}')"  # noqa: S608
            ).fetchone()
        found.append((columns, digest))
        path.unlink()
    if found[0] != found[1]:
        raise SystemExit(f"the results differ: by hand {found[0]}, ours {found[1]}")


def _lines(found: Sequence[Found], size: int) -> Iterator[str]:
    """Yield the table's lines, and the least ratio."""
    steps = list(found[0].by_hand)
    yield f"{os.cpu_count()} CPUs; a CSV of {size / 10**6:.0f} MB, types found; seconds. The results are equal."
    yield ""
    yield f"| run | {' | '.join(steps)} | together | ours | a run that finds nothing | our job alone | ratio |"
    yield f"|{'---|' * (6 + len(steps))}"
    for number, each in enumerate(found, 1):
        by_hand = " | ".join(f"{each.by_hand[step]:.1f}" for step in steps)
        figures = f"{sum(each.by_hand.values()):.1f} | {each.ours:.1f} | {each.nothing:.1f} | {each.job:.1f}"
        yield f"| {number} | {by_hand} | {figures} | {each.ratio:.2f} |"
    yield ""
    yield "The ratio is ours, less a run that finds nothing, by the three steps together."


if __name__ == "__main__":
    sys.exit(main())
