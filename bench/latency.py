"""`make bench-latency`: how long a dropped file takes on a running local system, and how long a burst does.

From the PUT's response to `committed_at` in the file's `_result.json`. One drop after the other, each into an idle
system; then, with `--burst N`, N files at once while a run processes a few earlier ones.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import marked_part
from filebatch.core import clock
from filebatch.core.ledger import Ledger
from filebatch.core.records import SETTLED_STATES, FileRecord, FileState
from filebatch.core.rows import Row
from filebatch_local.base.layout import Layout
from filebatch_local.serve.background import LocalAws, running
from local_system import airflow
from local_system.config import API_PORT, Config

FEED = "tables"
MEDIAN_TARGET, TARGET = 3.5, 5.0  # seconds; the second is of the 95th percentile
BURST_TARGET = 120.0  # seconds for all of a burst
TIMEOUT = 300.0
ALREADY_CLAIMED = 5  # files that a run is processing when the burst comes


@dataclass(frozen=True)
class Found:
    """What was measured: seconds of each single drop; files of the burst, and seconds until all had a result."""

    drops: Sequence[float]
    burst: int
    burst_seconds: float

    @property
    def p50(self) -> float:
        """Return the median of the single drops, in seconds."""
        return statistics.median(self.drops)

    @property
    def p95(self) -> float:
        """Return their 95th percentile, in seconds."""
        return statistics.quantiles(self.drops, n=20, method="inclusive")[-1]

    @property
    def met(self) -> bool:
        """Tell whether the targets are met."""
        return self.p50 <= MEDIAN_TARGET and self.p95 <= TARGET and self.burst_seconds <= BURST_TARGET


class Drops:
    """Drops files into the running local AWS and follows what becomes of them."""

    def __init__(self, aws: LocalAws) -> None:
        self._bucket = aws.settings["buckets"]["new_files"]
        self._s3 = aws.client("s3")
        self._ledger = Ledger(aws.client("dynamodb"), aws.settings["ledger"])
        self._name = uuid.uuid4().hex[:8]

    def drop(self, number: int) -> tuple[Row[FileRecord], datetime]:
        """Put one small file; return its row of the ledger and when the PUT was answered."""
        key = f"{FEED}/bench-{self._name}-{number:04d}.csv"
        answer = self._s3.put_object(Bucket=self._bucket, Key=key, Body=f"id,value\n{number},{number * 2}\n".encode())
        return Row(FileRecord, f"s3://{self._bucket}/{key}", answer["VersionId"]), datetime.now(UTC)

    def committed(self, rows: Sequence[Row[FileRecord]], every: float) -> list[datetime]:
        """Wait until all files have a result; return when each was committed."""
        _wait(lambda: self.are(rows, *SETTLED_STATES), every, f"results of {len(rows)} files")
        found = self._ledger.get_many(rows)
        return [self._committed_at(found[row]) for row in rows]

    def are(self, rows: Sequence[Row[FileRecord]], *states: FileState) -> bool:
        """Tell whether the ledger has all these files in one of these states."""
        found = self._ledger.get_many(rows)
        return len(found) == len(rows) and all(file.state in states for file in found.values())

    def _committed_at(self, file: FileRecord) -> datetime:
        if (file.state, file.generation, file.attempts) != (FileState.SUCCEEDED, 1, 1):
            raise SystemExit(f"expected a file that succeeded at once, found {file}")
        where = urlsplit(file.result or "")
        result = json.loads(self._s3.get_object(Bucket=where.netloc, Key=where.path.lstrip("/"))["Body"].read())
        return clock.parse_utc(result["committed_at"])


def one_by_one(drops: Drops, count: int, api: airflow.Api) -> list[float]:
    """Drop files into an idle system, one after the other; return the seconds each took."""
    taken = []
    for number in range(count):
        _wait(lambda: not _unfinished(api), 0.5, f"the end of {FEED}'s runs")
        key, answered = drops.drop(number)
        (committed,) = drops.committed([key], every=0.5)
        taken.append((committed - answered).total_seconds())
        _say(f"drop {number + 1:2d}  {taken[-1]:5.2f} s")
    return taken


def _unfinished(api: airflow.Api) -> int:
    """Return the number of the feed's runs that are queued or running."""
    path = f"/api/v2/dags/{FEED}/dagRuns?state=queued&state=running&limit=1"
    return int(airflow.ask(api, "GET", path)["total_entries"])


def burst(drops: Drops, count: int) -> float:
    """Drop many files at once while others are under way; return the seconds until the last had its result."""
    first = [drops.drop(100_000 + number)[0] for number in range(ALREADY_CLAIMED)]
    _wait(lambda: drops.are(first, FileState.CLAIMED), 0.1, "a run that processes files")
    with ThreadPoolExecutor(8) as pool:
        dropped = list(pool.map(drops.drop, range(1000, 1000 + count)))
    committed = drops.committed([key for key, _ in dropped] + first, every=2.0)
    return (max(committed) - min(answered for _, answered in dropped)).total_seconds()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 1 where a target is missed, else 0."""
    options = _parser().parse_args(arguments)
    aws = running(Layout.here(options.state))
    if aws is None:
        raise SystemExit("no local system runs: start it with `make up`")
    drops = Drops(aws)
    api = Config(Layout.here(options.state), Path(sys.executable), api_port=options.api_port).api
    found = Found(
        one_by_one(drops, options.drops, api),
        options.burst,
        burst(drops, options.burst) if options.burst else 0.0,
    )
    _say(table := "\n".join(lines(found)))
    if options.json:
        options.json.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
    if options.write:
        marked_part.write(options.write, "bench-latency", table)
    _say(f"targets on an idle machine: {'met' if found.met else 'MISSED'}")
    return 0 if found.met else 1


def lines(found: Found) -> Iterator[str]:
    """Yield the table's lines."""
    yield "| what | files | p50, s | p95, s | longest, s | target on an idle machine |"
    yield "|---|---|---|---|---|---|"
    target = f"p50 {MEDIAN_TARGET:g}, p95 {TARGET:g}"
    numbers = f"{found.p50:.2f} | {found.p95:.2f} | {max(found.drops):.2f}"
    yield f"| one file into an idle system | {len(found.drops)}, one after the other | {numbers} | {target} |"
    if found.burst:
        what = f"at once, while {ALREADY_CLAIMED} are being processed, until the last has its result"
        yield f"| {what} | {found.burst:,} | | | {found.burst_seconds:.1f} | {BURST_TARGET:g} |"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Latency of drops on a running local system.")
    parser.add_argument("--state", type=Path, help="the system's state folder (default: .local)")
    port = os.environ.get("FILEBATCH_AIRFLOW_PORT", str(API_PORT))
    parser.add_argument("--api-port", type=int, default=port, help=f"port of Airflow (default: {port})")
    parser.add_argument("--drops", type=int, default=20, help="files that are dropped one by one, 2 or more")
    parser.add_argument("--burst", type=int, default=0, help="files that are dropped at once afterwards")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--write", type=Path, help="the document that gets the table")
    return parser


def _wait(look: Callable[[], bool], every: float, what: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not look():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {TIMEOUT:.0f} s in vain for {what}")
        time.sleep(every)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
