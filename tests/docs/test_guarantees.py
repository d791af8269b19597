"""The table of safeguards in docs/guarantees.md is true: what it says of seeds is found by them still."""

import subprocess
import sys

import pytest

from aws import ROOT
from simulation import safeguards, table
from simulation.safeguards import HELD_BY_TESTS, SAFEGUARDS

ROWS = table.rows()
BY_SEED = {name: table.by_seed(found) for name, (_, found) in ROWS.items()}


def test_it_has_a_row_for_each_safeguard():
    assert [(name, what) for name, (what, _) in ROWS.items()] == [
        (name, each.what) for name, each in SAFEGUARDS.items()
    ]


def test_what_no_seed_finds_is_held_by_a_test_and_the_table_says_why():
    told = {name: str(held) for name, held in HELD_BY_TESTS.items()}
    assert {name: ROWS[name][1] for name, seed in BY_SEED.items() if not seed} == told


def test_each_test_that_it_names_fails_without_its_safeguard():
    tests = sorted({held.test for held in HELD_BY_TESTS.values()})
    pytest_ = (sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "simulation.tests_without", "--in-memory")

    ended = subprocess.run([*pytest_, *tests], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout
    assert f"{len(tests)} passed" in ended.stdout


@pytest.mark.parametrize("name", [name for name, seed in BY_SEED.items() if seed])
def test_the_seed_that_it_names_finds_what_it_says(name):
    seed, rule = BY_SEED[name]

    found = safeguards.first_seed(name, [seed])

    assert found, f"seed {seed} finds nothing without {name!r}: make simulate-safeguards"
    assert found.rule == rule
