"""The table of safeguards in docs/guarantees.md is the one that the simulation takes out."""

import re

from aws import ROOT
from simulation.safeguards import HELD_BY_TESTS, SAFEGUARDS

TEXT = (ROOT / "docs" / "guarantees.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| (seed \d+: [^|]+|`[^|]+) \|$", TEXT, re.MULTILINE)


def test_it_has_a_row_for_each_safeguard():
    assert [(name, what) for name, what, _ in ROWS] == [(name, each.what) for name, each in SAFEGUARDS.items()]


def test_each_row_names_a_seed_or_the_tests_that_hold_it():
    for name, _, held in ROWS:
        assert held.startswith("seed ") or re.match(r"`test_\w+\.py`", held), name
    assert {name for name, _, held in ROWS if not held.startswith("seed ")} == HELD_BY_TESTS
