"""Makes the tables of docs/cost.md from the counted calls of a file and the price table."""

from __future__ import annotations

import json
from pathlib import Path

from cost import tables

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "cost.md"
# What tests/e2e/test_calls_of_a_file.py counts in a real run of the local AWS.
CALLS = ROOT / "tests" / "golden" / "calls-of-a-file.json"


def main() -> None:
    """Rewrite the tables."""
    DOCUMENT.write_text(made(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"made the tables of {DOCUMENT.relative_to(ROOT)}")


def made(document: str) -> str:
    """Return docs/cost.md with its tables made anew."""
    return tables.into(document, tables.all_of(json.loads(CALLS.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
