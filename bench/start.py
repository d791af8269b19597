"""`make bench-start`: CPU from a container's start to its first request, beside that of a bare boto3 client of S3.

Both are processes of their own, in turn, several times in one run; what is told is the least of each. The worker is
stopped where botocore would send its first request.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = 7
SENDS = 9  # exit code of a worker that gets as far as its first request
BARE = 'import boto3, os; boto3.client("s3"); os._exit(0)'
WORKER = f"""
import os, runpy, botocore.httpsession
botocore.httpsession.URLLib3Session.send = lambda *_: os._exit({SENDS})
runpy.run_module("filebatch_worker", run_name="__main__", alter_sys=True)
"""
ENVIRONMENT = {
    "PYTHONPATH": f"{ROOT / 'worker'}{os.pathsep}{ROOT / 'plugins'}",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_BATCH_JOB_ID": "job",
    "FILEBATCH_FEED": "orders",
    "FILEBATCH_LEDGER": "ledger",
    "FILEBATCH_RESULTS_BUCKET": "results",
    "FILEBATCH_NAMESPACE": "filebatch",
    "FILEBATCH_ROUND": "manifests/orders/0123456789abcdef-0001/round-1.units",
    "FILEBATCH_MEMORY_MIB": "512",
}


def main() -> int:
    """Measure, and print a line."""
    costs = [(cpu(BARE, 0), cpu(WORKER, SENDS)) for _ in range(RUNS)]
    bare, worker = (min(each) for each in zip(*costs, strict=True))
    print(
        f"A bare client takes {bare:.2f} s of CPU, the worker {worker:.2f} s to its first request: {worker / bare:.2f}"
    )
    return 0


def cpu(code: str, expected: int) -> float:
    """Return the seconds of CPU of a fresh Python that runs `code`. Raises SystemExit if it ends otherwise."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, **ENVIRONMENT}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode != expected:
        raise SystemExit(f"expected exit code {expected}, found {ended.returncode}\n{ended.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
