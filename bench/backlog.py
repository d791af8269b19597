"""`make bench-backlog`: a backlog that nobody was told of, done by successive runs without a person.

A local system of its own: files lie in the bucket, no event told of them, the feed's DAG is unpaused. The sweep of its
first run takes them in, runs claim what they may claim each, the bell rings for the rest. Measured until all is done
and announced: how long it takes, how many runs and jobs, and the most memory that any one process of each kind had.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

import marked_part
from filebatch.core import clock
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord, RunRecord
from filebatch.feeds import settings
from filebatch.feeds.feed import load_feeds
from filebatch.queries.audit import audit
from filebatch_local.base.layout import WORKER_IMAGE, Layout
from filebatch_local.base.ports import free_port
from filebatch_local.batch.images import ImageEnv, images_to_json, of_repository
from filebatch_local.serve.background import LocalAws
from local_system import airflow, parts
from local_system.config import Config
from local_system.system import down, up

ROOT = Path(__file__).parents[1]
FEED = "backlog"
DOCUMENT = """\
prefix: backlog/
start: 2020-01-01
schedule: "*/15 * * * *"
processor: copying:copy
vcpu: 0.25
memory: 512
packing: {{files: 1000, claim: {claim}}}
"""
LOOK_EVERY = 1.0  # seconds
SETTLES_FOR = 20.0  # seconds for which nothing is open before all counts as done
OPERATIONS_AT_ONCE = 8


@dataclass(frozen=True)
class Found:
    """What a backlog took; seconds, and MB of the largest process of each kind."""

    files: int
    claim: int
    wall: float
    runs: int
    jobs: int
    memory: Mapping[str, float]
    audit: str


class System:
    """A local system with one feed, which no event reaches."""

    def __init__(self, config: Config, aws: LocalAws) -> None:
        self.config, self.aws = config, aws
        self.ledger = Ledger(aws.client("dynamodb"), aws.settings["ledger"])
        self.peaks: dict[str, float] = defaultdict(float)
        events = aws.client("events")
        for rule in events.list_rules()["Rules"]:
            if FEED in rule["Name"]:
                events.disable_rule(Name=rule["Name"])

    def pause(self, *, paused: bool) -> None:
        """Pause the feed's DAG, or let it go on."""
        airflow.ask(self.config.api, "PATCH", f"/api/v2/dags/{FEED}", {"is_paused": paused})

    def put(self, files: int) -> None:
        """Put so many small files, each another."""
        s3, bucket = self.aws.client("s3"), self.aws.settings["buckets"]["new_files"]

        def one(number: int) -> None:
            s3.put_object(Bucket=bucket, Key=f"{FEED}/{number:06d}.txt", Body=f"{number}\n".encode())

        with ThreadPoolExecutor(OPERATIONS_AT_ONCE) as pool:
            for _ in pool.map(one, range(files)):
                pass

    def is_at_rest(self) -> bool:
        """Tell whether no file waits and every run's claim is announced."""
        later = clock.parse_utc("2100-01-01T00:00:00Z")
        files = self.ledger.open(FileRecord.waiting(FEED), due=later, limit=1)
        return not files and not self.ledger.open(RunRecord.unannounced(FEED), due=later, limit=1)

    def claims(self) -> list[RunRecord]:
        """Return the claims that took files."""
        return [run for run in self.ledger.scan() if isinstance(run, RunRecord) and run.files]

    def look_at_memory(self) -> None:
        """Keep the most that any one process of each kind has had."""
        for kind, process in self._processes():
            with suppress(psutil.NoSuchProcess):
                self.peaks[kind] = max(self.peaks[kind], process.memory_info().rss / 1e6)

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        pids = {part.name: part.pid for part in parts.recorded(self.config)}
        for kind, pid in (("a task of Airflow", pids["scheduler"]), ("the triggerer", pids["triggerer"])):
            with suppress(psutil.NoSuchProcess):
                yield from ((kind, each) for each in psutil.Process(pid).children(recursive=True))
        for job in self.aws.jobs():
            with suppress(psutil.NoSuchProcess):
                top = psutil.Process(job["pid"])
                yield from (("a worker", each) for each in (top, *top.children(recursive=True)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write it where asked to; return 0 where all files were done, once."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--claim", type=int, default=10_000, help="files that a run claims at most")
    parser.add_argument("--hours", type=float, default=6.0, help="when to give up")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--write", type=Path, help="the document that gets the table")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="filebatch-bench-") as folder:
        found = measured(Path(folder), given.files, given.claim, given.hours)
    print(table := "\n".join(lines(found)))
    if given.json:
        given.json.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
    if given.write:
        marked_part.write(given.write, "bench-backlog", table)
    return 0 if found.audit.startswith("lost=0 doubled=0 untrue=0 stuck=0") else 1


def measured(folder: Path, files: int, claim: int, hours: float) -> Found:
    """Have a backlog done in a system of its own."""
    dags, images = _dags(folder / "dags", claim), _images(folder / "images.json")
    config = Config(Layout.here(folder / "state"), Path(sys.executable), free_port(), free_port(), dags)
    try:
        system = System(config, up(config, ("--feeds", str(dags / "feeds"), "--images", str(images))))
        system.pause(paused=True)
        system.put(files)
        began = time.monotonic()
        system.pause(paused=False)
        wall = _until_done(system, began, hours)
        claims, feeds = system.claims(), load_feeds(dags / "feeds")[0]
        values = settings.parse(system.aws.settings)
        told = str(audit(feeds, values, system.aws.client("s3"), system.aws.client("dynamodb"))).splitlines()[0]
        peaks = {kind: round(peak) for kind, peak in sorted(system.peaks.items())}
        return Found(files, claim, round(wall), len(claims), sum(run.round for run in claims), peaks, told)
    finally:
        down(config)


def _until_done(system: System, began: float, hours: float) -> float:
    """Look on until nothing has been open for a while after there was something; return the seconds it took."""
    begun, rests_since = False, float("inf")
    while True:
        system.look_at_memory()
        at_rest, now = system.is_at_rest(), time.monotonic()
        begun = begun or not at_rest
        rests_since = min(rests_since, now) if begun and at_rest else float("inf")
        if now - rests_since >= SETTLES_FOR:
            return rests_since - began
        if now - began > hours * 3600:
            raise SystemExit(f"not done within {hours:g} hours")
        time.sleep(LOOK_EVERY)


def _dags(folder: Path, claim: int) -> Path:
    (folder / "feeds").mkdir(parents=True)
    shutil.copy(ROOT / "dags" / "file_to_batch.py", folder)
    (folder / "feeds" / f"{FEED}.yaml").write_text(DOCUMENT.format(claim=claim), encoding="utf-8")
    return folder


def _images(file: Path) -> Path:
    worker = of_repository(Layout.here())[WORKER_IMAGE]
    paths = f"{worker.env['PYTHONPATH']}:{ROOT / 'bench' / 'copying'}"
    image = {WORKER_IMAGE: ImageEnv(worker.path, {**worker.env, "PYTHONPATH": paths})}
    file.write_text(json.dumps(images_to_json(image)), encoding="utf-8")
    return file


def lines(found: Found) -> Iterator[str]:
    """Yield the table's lines."""
    kinds = list(found.memory)
    yield f"A run claims {found.claim:,} files at most; seconds; MB of the largest process of each kind."
    yield ""
    yield f"| files | wall | files a second | runs | jobs | {' | '.join(kinds)} | audit |"
    yield f"|{'---|' * (6 + len(kinds))}"
    memory = " | ".join(f"{found.memory[kind]:.0f}" for kind in kinds)
    rate = found.files / max(found.wall, 1)
    figures = f"{found.files:,} | {found.wall:.0f} | {rate:.1f} | {found.runs} | {found.jobs} | {memory}"
    yield f"| {figures} | `{found.audit}` |"


if __name__ == "__main__":
    sys.exit(main())
