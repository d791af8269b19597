"""`python bench/latency.py`: how long a dropped file takes on a running local system, and how long a burst does.

From the PUT's response to `committed_at` in the file's `_result.json`. One drop after the other, each into an idle
system; then, with `--burst N`, N files at once while the runs of an earlier handful are still going on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filebatch.core import clock, states
from filebatch.core.ledger import Ledger
from filebatch_local.base.layout import Layout
from filebatch_local.serve.background import LocalAws, running

FEED = "tables"
TARGET = 10.0  # seconds, 95th percentile
BURST_TARGET = 120.0  # seconds for all of a burst
PATIENCE = 300.0
GOING_ON = 5  # files that are under way when a burst comes


class Drops:
    """Drops files into the running local AWS and follows what becomes of them."""

    def __init__(self, aws: LocalAws) -> None:
        self._bucket = aws.settings["buckets"]["new_files"]
        self._s3 = aws.client("s3")
        self._ledger = Ledger(aws.client("dynamodb"), aws.settings["ledger"])
        self._name = uuid.uuid4().hex[:8]

    def drop(self, number: int) -> tuple[states.Key, datetime]:
        """Put one small file; return its key in the ledger and when the PUT was answered."""
        key = f"{FEED}/bench-{self._name}-{number:04d}.csv"
        answer = self._s3.put_object(Bucket=self._bucket, Key=key, Body=f"id,value\n{number},{number * 2}\n".encode())
        return (f"s3://{self._bucket}/{key}", answer["VersionId"]), datetime.now(UTC)

    def committed(self, keys: Sequence[states.Key], every: float) -> list[datetime]:
        """Wait until all files have a result; return when each was committed."""
        deadline = time.monotonic() + PATIENCE
        while True:
            items = self._ledger.get_many(keys)
            if len(items) == len(keys) and all(item["state"] in states.SETTLED_STATES for item in items.values()):
                return [self._committed_at(items[key]) for key in keys]
            if time.monotonic() > deadline:
                raise SystemExit(f"not settled after {PATIENCE:.0f} s: {[key for key in keys if key not in items]}")
            time.sleep(every)

    def _committed_at(self, item: Any) -> datetime:
        if item["state"] != states.SUCCEEDED or item["generation"] != 1 or item["attempts"] != 1:
            raise SystemExit(f"expected a file that succeeded at once, found {item}")
        where = urlsplit(item["result"])
        result = json.loads(self._s3.get_object(Bucket=where.netloc, Key=where.path.lstrip("/"))["Body"].read())
        return clock.parse_utc(result["committed_at"])


def one_by_one(drops: Drops, count: int, pause: float) -> list[float]:
    """Drop files into an idle system, one after the other; return the seconds each took."""
    taken = []
    for number in range(count):
        key, answered = drops.drop(number)
        (committed,) = drops.committed([key], every=0.5)
        taken.append((committed - answered).total_seconds())
        _say(f"drop {number + 1:2d}  {taken[-1]:5.2f} s")
        time.sleep(pause)
    return taken


def burst(drops: Drops, count: int) -> float:
    """Drop many files at once while others are under way; return the seconds until the last had its result."""
    first = [drops.drop(100_000 + number)[0] for number in range(GOING_ON)]
    time.sleep(4)
    with ThreadPoolExecutor(8) as pool:
        dropped = list(pool.map(drops.drop, range(1000, 1000 + count)))
    committed = drops.committed([key for key, _ in dropped] + first, every=2.0)
    return (max(committed) - min(answered for _, answered in dropped)).total_seconds()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and judge; the exit code is 1 where a target is missed."""
    options = _parser().parse_args(arguments)
    aws = running(Layout.here(options.state))
    if aws is None:
        raise SystemExit("no local system runs: start it with `make up`")
    drops, met = Drops(aws), True
    if options.drops:
        taken = sorted(one_by_one(drops, options.drops, options.pause))
        p95 = statistics.quantiles(taken, n=20, method="inclusive")[-1] if len(taken) > 1 else taken[0]
        _say(f"{len(taken)} drops: p50 {statistics.median(taken):.2f} s, p95 {p95:.2f} s, max {taken[-1]:.2f} s")
        met = p95 <= TARGET
    if options.burst:
        seconds = burst(drops, options.burst)
        _say(f"burst of {options.burst} files: all SUCCEEDED after {seconds:.1f} s")
        met = met and seconds <= BURST_TARGET
    _say(f"target (p95 ≤ {TARGET:.0f} s, burst ≤ {BURST_TARGET:.0f} s): {'met' if met else 'MISSED'}")
    return 0 if met else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Latency of drops on a running local system.")
    parser.add_argument("--state", type=Path, help="the system's state folder (default: .local)")
    parser.add_argument("--drops", type=int, default=20, help="files that are dropped one by one")
    parser.add_argument("--pause", type=float, default=8.0, help="seconds between two drops, for the run to end")
    parser.add_argument("--burst", type=int, default=0, help="files that are dropped at once afterwards")
    return parser


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
