"""The simulation finds nothing, replays exactly, and finds what it must where a safeguard is taken out."""

import os
import subprocess
import sys

import pytest

from aws import ROOT
from simulation import plan as plans
from simulation import run, safeguards
from simulation.__main__ import outcomes

# Safeguards whose loss an early seed finds: the others are for `make simulate-safeguards`.
FAST = ("ask before commit", "release's condition", "claim's condition", "base table")


def test_two_hundred_seeds_find_nothing():
    found = [outcome for outcome in outcomes(1, 200) if outcome.rule]

    assert not found, run.told(run.shrunk(found[0]))


def test_a_seed_replays_exactly():
    first, again = run.seed(7), run.seed(7)

    assert first.calls > 100
    assert (again.digest, again.story) == (first.digest, first.story)


@pytest.mark.parametrize("hashes", ["1", "2"])
def test_it_does_so_in_another_process_whatever_the_order_of_sets(hashes):
    code = "from simulation import run; print(run.seed(7).digest)"
    paths = ("infra/local", "plugins", "worker", "tests", "tools")
    environment = {**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": ":".join(str(ROOT / each) for each in paths)}

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)

    assert ended.stdout.strip() == run.seed(7).digest


def test_seeds_differ():
    assert len({run.seed(number).digest for number in range(1, 6)}) == 5


@pytest.mark.parametrize("name", FAST)
def test_a_safeguard_that_is_taken_out_is_missed(name):
    found = safeguards.first_seed(name, range(1, 61))

    assert found is not None


def test_a_finding_is_told_as_a_short_story():
    with safeguards.without("release's condition"):
        found = next(found for seed in range(1, 61) if (found := run.seed(seed)).rule)
        smaller = run.shrunk(found)

    assert smaller.rule == found.rule
    assert len(smaller.plan.drops) + len(smaller.plan.acts) <= len(found.plan.drops) + len(found.plan.acts)
    assert len(smaller.story) <= len(found.story)
    assert smaller.what in run.told(smaller)


def test_a_plan_is_the_seeds_alone():
    assert plans.draw(3) == plans.draw(3)
    assert plans.draw(3) != plans.draw(4)
