"""The simulation finds nothing, and replays exactly; tests/docs/test_guarantees.py has what it finds."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from aws import ROOT
from filebatch.core import clock, run_moves
from filebatch.intake import arrivals, doorbell
from filebatch.queries import health
from filebatch_worker import commit as worker_commit
from simulation import airflow, run, safeguards, themes
from simulation import plan as plans
from simulation.__main__ import outcomes
from simulation.plan import Drop
from simulation.world import World

QUIET = replace(
    plans.drawn(7),
    faults={},
    mishaps={},
    acts=(),
    chaos=600.0,
    drops=tuple(Drop(10.0 * number, f"2026-01-01/f{number}.csv", "good") for number in range(6)),
)


def test_two_hundred_seeds_find_nothing():
    found = [outcome for outcome in outcomes(1, 200) if outcome.rule]

    assert not found, run.told(run.shrunk(found[0]))


def settled(plan):
    """Run a plan to its end; return what the ledger has of its files, and the story."""
    world = World(plan)
    world.run()
    items = world.aws.dynamodb.tables[world.settings.ledger].items
    return [item for key, item in items.items() if key[0].startswith("s3://")], world.trace.story


def test_where_nothing_goes_wrong_events_bring_each_file_and_it_is_done_at_once():
    files, story = settled(QUIET)

    assert [(file["state"], file["attempts"]) for file in files] == [("SUCCEEDED", 1)] * 6
    waited = [clock.parse_utc(file["arrived_at"]) - clock.parse_utc(file["last_modified"]) for file in files]
    assert max(waited) < timedelta(seconds=airflow.SWEEP_EVERY / 10)
    assert not [line for line in story if "raises" in line or "fails" in line]


def test_where_no_file_can_be_committed_that_is_found(monkeypatch):
    monkeypatch.setattr(worker_commit, "check_held", lambda *_: [].commit)

    assert run.one(QUIET).rule == "files end as they are"


@pytest.mark.parametrize(
    ("module", "name"), [(arrivals, "_meant"), (doorbell, "next_ring"), (health, "of_feed"), (run_moves, "heartbeat")]
)
def test_code_that_is_broken_ends_the_simulation(monkeypatch, module, name):
    def broken(*_, **__):
        raise TypeError(f"{name} is broken")

    monkeypatch.setattr(module, name, broken)

    with pytest.raises(TypeError, match="is broken"):
        run.one(QUIET)


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


def test_a_finding_is_told_as_a_short_story():
    with safeguards.without("claim's condition"):
        found = next(found for seed in range(1, 61) if (found := run.seed(seed)).rule)
        smaller = run.shrunk(found)

    assert smaller.rule == found.rule
    assert len(smaller.plan.drops) + len(smaller.plan.acts) <= len(found.plan.drops) + len(found.plan.acts)
    assert len(smaller.story) <= len(found.story)
    assert smaller.what in run.told(smaller)


def test_half_of_the_seeds_have_a_theme_and_each_theme_has_some():
    found = [themes.theme_of(seed) for seed in range(1, 301)]
    assert set(found) == {"", *themes.THEMES}
    assert 100 < found.count("") < 200


def test_a_plan_is_the_seeds_alone():
    assert themes.draw(3) == themes.draw(3)
    assert themes.draw(3) != themes.draw(4)
