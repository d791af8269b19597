"""`python -m try_file FEED FILE`: does one file as the feed would have it done, on this machine and without AWS.

FEED is the name of a feed in dags/feeds, or the path of a feed file. Packages of your own are found in `processors/`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from filebatch.core.errors import FeedError
from filebatch.feeds.feed import load_feed

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-worker" / "bin" / "python"
USAGE = 64  # sysexits.h
PLACES = ("worker", "plugins", "processors")


def main(arguments: Sequence[str] | None = None) -> int:
    """Have the worker's Python do the file, and return its exit code: 0 done, 1 INVALID, 64 wrong usage, 70 FAILED."""
    parser = argparse.ArgumentParser(prog="try_file", description="Do one file as its feed would, without AWS.")
    parser.add_argument("feed", help="name of a feed in dags/feeds, or path of a feed file")
    parser.add_argument("file", type=Path)
    given = parser.parse_args(arguments)
    if not given.feed or given.file == Path():
        return _wrong("expected a feed and a file: make try FEED=tables FILE=samples/airports.csv")
    if not given.file.is_file():
        return _wrong(f"FILE={given.file}: there is no such file")
    path = Path(given.feed) if given.feed.endswith(".yaml") else ROOT / "dags" / "feeds" / f"{given.feed}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in path.parent.glob("*.yaml")))
        return _wrong(f"FEED={given.feed}: there is no {path}; feeds there: {known or 'none'}")
    try:
        feed = load_feed(path)
    except FeedError as error:
        return _wrong(str(error))
    asked = json.dumps(feed.model_dump(mode="json", include={"processor", "options", "memory", "vcpu"}))
    return _worker(given.file.resolve(), asked)


def _worker(file: Path, asked: str) -> int:
    # Without credentials, be they the shell's, a profile's or a machine's: a processor that calls AWS would change what
    # is real.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FILEBATCH_"))}
    inherited |= {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_CONFIG_FILE": os.devnull}
    inherited |= {"AWS_EC2_METADATA_DISABLED": "true"}
    python_path = os.pathsep.join(str(ROOT / place) for place in PLACES)
    command = [str(PYTHON), "-m", "filebatch_worker.try_one", str(file)]
    return subprocess.run(
        command, input=asked, text=True, env={**inherited, "PYTHONPATH": python_path}, check=False
    ).returncode


def _wrong(told: str) -> int:
    sys.stderr.write(f"{told}\n")
    return USAGE


if __name__ == "__main__":
    sys.exit(main())
