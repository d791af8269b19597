"""`python bench/doorbells.py`: what 60 idle feeds cost a triggerer, in CPU and memory.

Their triggers run in one event loop, as in a triggerer, against a local AWS of another process.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from filebatch_local.background import LocalAws, local_aws
from filebatch_local.cli import environment
from filebatch_local.layout import Layout

CPU_TARGET = 10.0  # % of a core
MEMORY_TARGET = 100.0  # MB
STARTING = 15.0  # seconds


async def cost(feeds: int, seconds: float) -> tuple[float, float]:
    """Return the % of a core that idle feeds take, and the MB by which they make the process grow."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook  # noqa: F401 - a triggerer has it anyway
    from airflow.sdk import Variable

    from filebatch.feed import Feed
    from filebatch.triggers.sqs import ArrivalsTrigger

    async def run(trigger: ArrivalsTrigger) -> None:
        async for event in trigger.run():
            raise SystemExit(f"expected idle feeds, found {event}")

    Variable.get("filebatch")
    process = psutil.Process()
    before = process.memory_info().rss
    named = [Feed.model_validate(_feed(number)) for number in range(feeds)]
    tasks = [asyncio.create_task(run(ArrivalsTrigger.of(feed, "aws_default"))) for feed in named]
    await asyncio.sleep(STARTING)
    began, used = time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    share = 100 * (time.process_time() - used) / (time.monotonic() - began)
    grown = (process.memory_info().rss - before) / 1e6
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return share, grown


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and judge; the exit code is 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Cost of idle feeds.")
    parser.add_argument("--feeds", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=320.0, help="long enough for each health report to be sent")
    options = parser.parse_args(arguments)
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        aws_feeds = Path(folder) / "feeds"
        aws_feeds.mkdir()
        for number in range(options.feeds):
            feed = _feed(number)
            text = "".join(f"{field}: {value}\n" for field, value in feed.items() if field != "name")
            (aws_feeds / f"{feed['name']}.yaml").write_text(text)
        with local_aws(feeds_dir=aws_feeds) as aws:
            _enter(aws, folder)
            share, grown = asyncio.run(cost(options.feeds, options.seconds))
    met = share < CPU_TARGET and grown < MEMORY_TARGET
    print(f"{options.feeds} idle feeds: {share:.1f} % of a core, {grown:.0f} MB")
    print(f"target (< {CPU_TARGET:.0f} %, < {MEMORY_TARGET:.0f} MB): {'met' if met else 'MISSED'}")
    return 0 if met else 1


def _feed(number: int) -> dict[str, str]:
    return {"name": f"feed{number:03d}", "prefix": f"feed{number:03d}/", "start": "2020-01-01"}


def _enter(aws: LocalAws, home: str) -> None:
    """Make this process one that belongs to the local AWS."""
    os.environ.update(environment(Layout.here(), aws.endpoint, aws.settings) | {"AIRFLOW_HOME": home})


if __name__ == "__main__":
    sys.exit(main())
