"""`make bench-plan`: how long Terraform plans an environment of few feeds and of many, where there is none yet."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from aws_smoke import terraform
from deploy.terraform import PARALLEL, init_options
from filebatch_local.serve.background import LocalAws, local_aws

FEED = "prefix: partners/number-{number:03}/\nstart: 2026-01-01\nexpected_by: '10:30'\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Plan for each number of feeds, and print what that took."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--feeds", type=int, nargs="*", default=[2, 100])
    sizes = parser.parse_args(arguments).feeds
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    sys.stdout.write("| feeds | resources | wall, s | CPU, s |\n|---|---|---|---|\n")
    with local_aws() as aws:
        for size in sizes:
            resources, wall, cpu = planned(aws, size)
            sys.stdout.write(f"| {size} | {resources} | {wall:.1f} | {cpu:.1f} |\n")
            sys.stdout.flush()
    return 0


def planned(aws: LocalAws, count: int) -> tuple[int, float, float]:
    """Return how many resources a plan for so many feeds has, and its seconds of wall time and CPU."""
    with tempfile.TemporaryDirectory(prefix="filebatch-plan-") as name:
        feeds = Path(name) / "given"
        feeds.mkdir()
        for number in range(count):
            (feeds / f"feed-{number:03}.yaml").write_text(FEED.format(number=number), encoding="utf-8")
        infra = terraform.copy(Path(name), feeds, {"res_prefix": "acme"}, local=True)
        connection = {**aws.credentials("terraform"), "AWS_ENDPOINT_URL": aws.endpoint}
        environment = terraform.environment(connection)
        _terraform(infra, environment, "init", *init_options(terraform.ROOT))
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        told = _terraform(infra, environment, "plan", "-input=false", PARALLEL)
        wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return sum(line.endswith(" will be created") for line in told.splitlines()), wall, cpu


def _terraform(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    command = ["terraform", *arguments]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(
            f"terraform {arguments[0]} ended with {ended.returncode}\n{ended.stdout[-2000:]}{ended.stderr}"
        )
    return ended.stdout


if __name__ == "__main__":
    sys.exit(main())
