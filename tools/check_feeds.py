"""`python -m check_feeds [FOLDER]`: says which feed files can't be used, and why; exit code 1 where there are any."""

from __future__ import annotations

import sys
from pathlib import Path

from filebatch.feeds.feed import load_feeds

FEEDS = Path(__file__).parents[1] / "dags" / "feeds"


def main(arguments: list[str]) -> int:
    """Read all feed files of a folder; return the exit code."""
    _, errors = load_feeds(Path(arguments[0]) if arguments else FEEDS)
    for error in errors:
        sys.stderr.write(f"{error}\n")
    return int(bool(errors))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
