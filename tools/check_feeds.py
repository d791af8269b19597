"""`python -m check_feeds [FOLDER]`: says which feed files can't be used, and why; exit code 1 where there are any."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from filebatch.feeds.feed import load_feeds

FEEDS = Path(__file__).parents[1] / "dags" / "feeds"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read all feed files of a folder; return the exit code."""
    parser = argparse.ArgumentParser(prog="check_feeds", description="Say which feed files can't be used, and why.")
    parser.add_argument("folder", nargs="?", type=Path, default=FEEDS, help="folder (default: dags/feeds)")
    _, errors = load_feeds(parser.parse_args(arguments).folder)
    for error in errors:
        sys.stderr.write(f"{error}\n")
    return int(bool(errors))


if __name__ == "__main__":
    sys.exit(main())
