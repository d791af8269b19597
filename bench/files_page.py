"""`make bench-files-page`: what the Files page and `filebatch` cost by themselves where a ledger has a million files.

Each question is asked by our own code through real clients over HTTP, of a server that is a process of its own
(`bench/million.py`) and has the answer ready: what is told is the CPU of who asks. That is measured of the question
alone, and as the Files page asks it, which reads settings and feed file for each request.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, cast

import million

import marked_part
from filebatch.core.records import FileState
from filebatch.queries import documents, files, overview, run_files
from filebatch.queries.files import Wanted
from filebatch.runs.context import FeedContext
from filebatch.web import one_file

HERE = Path(__file__).parent
MARK = "bench-files-page"
TIMES = 9
ALLOWED = 300  # ms
FEED_FILE = f"prefix: {million.FEED}/\nstart: 2020-01-01\npacking: {{claim: {len(million.OF_RUN)}}}\n"
SETTINGS = {
    "region": "eu-west-1",
    "environment": "bench",
    "buckets": {"new_files": million.BUCKET, "results": million.RESULTS},
    "queue_prefix": "http://127.0.0.1:1/",
    "topics": {"stakeholders": "arn", "developers": "arn"},
    "ledger": "ledger",
    "job_queue": "jobs",
    "job_definition_prefix": "bench-",
    "namespace": "bench",
}

Question = Callable[[FeedContext], Any]


@dataclass(frozen=True)
class Cost:
    """What a question took: requests, and milliseconds of CPU, best and worst; alone, and as the Files page asks."""

    question: str
    requests: int
    alone: tuple[float, float]
    whole: tuple[float, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write JSON and document where asked to; 1 where a question takes too long."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--times", type=int, default=TIMES, help=f"how often each is asked (default: {TIMES})")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--write", type=Path, help="the document that gets the table")
    given = parser.parse_args(arguments)
    gc.callbacks.append(COLLECTIONS)
    with ledger() as url, tempfile.TemporaryDirectory() as folder:
        costs = list(measured(url, Path(folder), given.times))
    table = "\n".join(lines(costs, given.times, max(COLLECTIONS.took, default=0.0)))
    print(table)
    if given.json:
        given.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=1) + "\n", encoding="utf-8")
    if given.write:
        marked_part.write(given.write, MARK, table)
    return int(any(cost.whole[1] > ALLOWED for cost in costs))


def questions() -> dict[str, Question]:
    """Return what is asked, each as the Files page asks it."""
    named = (of_state(FileState.FAILED), of_state(FileState.SUCCEEDED))
    state = {f"files that are {name}": page(Wanted(state=name)) for name in FileState}
    since = million.BEGAN + timedelta(days=5)
    return {
        "all files": page(Wanted()),
        **state,
        "files with the code `timeout`": page(Wanted(code="timeout")),
        "files of a state since a day": page(Wanted(state=FileState.SUCCEEDED, since=since)),
        "a part of a key that a few have": page(Wanted(state=FileState.FAILED, key="99")),
        "a part of a key that all have": page(Wanted(key=".csv")),
        "a part of a key that none has": page(Wanted(key="nobody")),
        "an exact key": page(Wanted(key=named[0])),
        "the story of a file that FAILED": lambda ctx: one_file.of_key(ctx, named[0]),
        "the story of a file that SUCCEEDED, with its profile": lambda ctx: one_file.of_key(ctx, named[1]),
        f"the first {run_files.PAGE} files of a run of {len(million.OF_RUN):,}": lambda ctx: documents.of_run(
            run_files.page(ctx, million.RUN)
        ),
        "counts": overview.counts,
        "a feed at a glance": lambda ctx: documents.of_feed(overview.of_feed(ctx)),
    }


def of_state(state: FileState) -> str:
    """Return the key of a file in a state, amid the million."""
    amid = range(million.FILES // 2, million.FILES)
    return next(million.version(number).key for number in amid if million.state_of(number) is state)


def page(wanted: Wanted) -> Question:
    """Return the question for the first page of a list."""
    return lambda ctx: [documents.of_file(file) for file in files.page(ctx, wanted).files]


def measured(url: str, folder: Path, times: int) -> Iterator[Cost]:
    """Yield what each question costs; each is asked once before, so that its answer is ready."""
    os.environ |= environment(url, folder)
    from filebatch.web import place  # it reads Airflow's configuration

    def context() -> FeedContext:
        return cast("FeedContext", place.context(million.FEED))

    ready = context()
    for name, ask in questions().items():
        ask(ready)
        asked(url)
        ask(ready)
        requests = asked(url)
        alone = [cpu(lambda: ask(ready)) for _ in range(times)]  # noqa: B023 - it is called at once
        whole = [cpu(lambda: ask(context())) for _ in range(times)]  # noqa: B023
        yield Cost(name, requests, (min(alone), max(alone)), (min(whole), max(whole)))


def environment(url: str, folder: Path) -> dict[str, str]:
    """Return what Airflow's code and AWS' clients need, with a feed file in the folder of DAGs."""
    feeds = folder / "dags" / "feeds"
    feeds.mkdir(parents=True)
    (feeds / f"{million.FEED}.yaml").write_text(FEED_FILE, encoding="utf-8")
    return {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        "AIRFLOW_VAR_FILEBATCH": json.dumps(SETTINGS),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }


@dataclass
class Collections:
    """CPU of Python's collections of the whole process's memory, in seconds: whichever request they meet pays them.

    https://docs.python.org/3/library/gc.html#gc.callbacks
    """

    began: float = 0.0
    took: list[float] = field(default_factory=list)

    def __call__(self, phase: str, told: dict[str, int]) -> None:
        """Take down one that begins or ends."""
        if told["generation"] == 2 and phase == "start":
            self.began = time.process_time()
        elif told["generation"] == 2:
            self.took.append(time.process_time() - self.began)


COLLECTIONS = Collections()


def cpu(call: Callable[[], Any]) -> float:
    """Return the milliseconds of CPU that a call takes, in all threads, but for collections of the whole memory."""
    began, collected = time.process_time(), sum(COLLECTIONS.took)
    call()
    return round((time.process_time() - began - sum(COLLECTIONS.took) + collected) * 1000, 1)


def asked(url: str) -> int:
    """Return how many requests there were since this was asked last."""
    with urllib.request.urlopen(f"{url}/asked") as answer:  # noqa: S310 - our own server
        return int(answer.read())


@contextmanager
def ledger() -> Iterator[str]:
    """Run the server of the million files while the block runs; yield its URL."""
    with subprocess.Popen([sys.executable, str(HERE / "million.py")], stdout=subprocess.PIPE, text=True) as server:
        said = cast("IO[str]", server.stdout)
        try:
            print(f"a ledger of {said.readline().strip()}", file=sys.stderr)
            yield f"http://127.0.0.1:{said.readline().strip()}"
        finally:
            server.terminate()


def lines(costs: Sequence[Cost], times: int, collection: float) -> Iterator[str]:
    """Yield the table's lines, and how long the longest collection of the whole memory took, in seconds."""
    yield f"{million.FILES:,} files; milliseconds of CPU, the least and the most of {times}."
    yield ""
    yield "| first page, or answer | requests | alone | as the Files page asks |"
    yield "|---|---|---|---|"
    for cost in costs:
        alone, whole = (f"{least:.0f} to {most:.0f}" for least, most in (cost.alone, cost.whole))
        yield f"| {cost.question} | {cost.requests} | {alone} | {whole} |"
    yield ""
    yield f"Collecting the memory of the whole process, Airflow's too, took up to {collection * 1000:.0f} ms more."


if __name__ == "__main__":
    sys.exit(main())
