"""`python -m demo [FILE …]`: drop files, run the feed `tables` with `airflow dags test`, show what became of them.

Exit code 0 unless a file or the run failed; INVALID files are no failure.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from demo import report
from demo.subscriber import subscribe
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord
from filebatch_local.base.layout import Layout
from filebatch_local.serve.background import local_aws
from filebatch_local.serve.shell import environment, take_over

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "demo-output"
FEED = "tables"
LOG = ROOT / ".local" / "demo" / "dags-test.log"
TASK_STARTS = re.compile(r"\[DAG TEST\] starting task_id=(\w+)")
BROKEN = b"\x1f\x8b\x08\x00 this is not what a gzip file goes on like"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo with the files that are named, or with the samples; return the exit code."""
    parser = argparse.ArgumentParser(prog="demo", description="Drop files and see what becomes of them.")
    parser.add_argument("files", nargs="*", metavar="FILE", help="files (default: the samples, and a broken one)")
    files = parser.parse_args(arguments).files
    say = functools.partial(_say, time.monotonic())
    drops = _drops(files)
    layout = Layout.here()
    dags = _dags()
    say("starting a local AWS")
    with local_aws(feeds_dir=dags / "feeds") as aws:
        say(f"local AWS is up at {aws.endpoint}")
        shell = environment(layout, aws.endpoint, aws.settings, aws.key) | {
            "AIRFLOW_HOME": _airflow_home(),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        }
        take_over(shell)
        clients = _clients()
        inbox = subscribe(clients["sns"], clients["sqs"], aws.settings["topics"])
        for name, content in drops.items():
            clients["s3"].put_object(Bucket=aws.settings["buckets"]["new_files"], Key=f"{FEED}/{name}", Body=content)
        say(f"dropped {len(drops)} files into s3://{aws.settings['buckets']['new_files']}/{FEED}/")
        code = _run_dag(shell, say)
        say(f"airflow dags test {FEED} ended with exit code {code}")
        summary = _summary(clients, aws.settings, inbox.received())
    say(f"stopped; {OUTPUT.name}/ has summary.json and results/")
    sys.stdout.write(f"\n{report.show(summary)}\n")
    failed = any(file["state"] not in ("SUCCEEDED", "INVALID") for file in summary["files"])
    return code or int(failed)


def _drops(files: Sequence[str]) -> dict[str, bytes]:
    """Return the files to drop, content by name; exit where one doesn't exist."""
    if files:
        return _named([Path(file) for file in files])
    drops = _named(sorted(path for path in (ROOT / "samples").iterdir() if path.suffix != ".md"))
    return {**drops, "broken.csv.gz": BROKEN}


def _named(paths: Sequence[Path]) -> dict[str, bytes]:
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise SystemExit(f"FILES: expected files, found none at: {', '.join(missing)}")
    drops: dict[str, bytes] = {}
    for path in paths:
        name = path.name if path.name not in drops else f"{len(drops)}/{path.name}"
        drops[name] = path.read_bytes()
    return drops


def _dags() -> Path:
    """Copy the DAGs, with `show_values` in the feed: whoever runs the demo has the files."""
    dags = ROOT / ".local" / "demo" / "dags"
    shutil.rmtree(dags, ignore_errors=True)
    shutil.copytree(ROOT / "dags", dags)
    feed = dags / "feeds" / f"{FEED}.yaml"
    feed.write_text(feed.read_text(encoding="utf-8") + "show_values: true\n", encoding="utf-8")
    return dags


def _airflow_home() -> str:
    """Return the demo's own AIRFLOW_HOME, with a copy of the database that set-up made."""
    made = Layout.here().airflow_home(Path(sys.prefix))
    home = ROOT / ".local" / "demo"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(made / "pristine.db", home / "airflow.db")
    return str(home)


def _run_dag(shell: Mapping[str, str], say: Callable[[str], None]) -> int:
    """Run the feed's DAG, with its output in a log; print its tasks as they start, and the log's end if it fails."""
    command = [str(Path(sys.executable).parent / "airflow"), "dags", "test", FEED]
    environment = {**os.environ, **shell, "PYTHONUNBUFFERED": "1"}
    say(f"running airflow dags test {FEED} (half a minute; log: {LOG.relative_to(ROOT)})")
    with (
        LOG.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
        ) as running,
    ):
        for line in running.stdout or ():
            log.write(line)
            if found := TASK_STARTS.search(line):
                say(f"task {found[1]}")
    if running.returncode:
        sys.stdout.write("\n".join(LOG.read_text(encoding="utf-8").splitlines()[-30:]) + "\n")
    return running.returncode


def _summary(clients: Mapping[str, Any], settings: Mapping[str, Any], notes: list[dict[str, Any]]) -> dict[str, Any]:
    """Read back what happened, check the summary against its schema, and write demo-output/."""
    scanned = Ledger(clients["dynamodb"], settings["ledger"]).scan()
    files = [record for record in scanned if isinstance(record, FileRecord)]
    summary = {
        "files": report.file_rows(files),
        "notifications": notes,
        "metrics": report.metric_rows(clients["cloudwatch"], settings["namespace"], FEED),
        "job": report.job_row(clients["batch"], settings["job_queue"]),
    }
    report.check(summary)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    (OUTPUT / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    report.download(clients["s3"], settings["buckets"]["results"], files, OUTPUT / "results")
    return summary


def _clients() -> dict[str, Any]:
    import boto3

    return {name: boto3.client(name) for name in ("s3", "sqs", "sns", "dynamodb", "cloudwatch", "batch")}


def _say(began: float, text: str) -> None:
    sys.stdout.write(f"[{time.monotonic() - began:4.1f} s] {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
