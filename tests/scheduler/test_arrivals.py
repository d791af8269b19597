"""Files that arrive start the work by themselves, whatever else goes on. Each test has a feed of its own.

What each protection is good for is shown in tests/filebatch/triggers/test_sqs.py, where it is taken away.
"""

import signal
import time
from collections.abc import Iterator

import pytest

from aws import until
from filebatch import states
from filebatch_local.processes import signal_group
from scheduler.harness import DAILY, NEVER, Whole, whole

pytestmark = pytest.mark.scheduler

PATIENCE = 150  # seconds; it only says when to give up, on a machine that others use too
# Runs of the schedule would hide what these tests are about: feeds have none but for backfills.
FEEDS = {
    "burst": NEVER,
    "paused": NEVER,
    "thrice": NEVER,
    "deaf": NEVER,
    "dies-early": NEVER,
    "dies-late": NEVER,
    "filled": DAILY,
    "bounded": DAILY,
}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole(tmp_path_factory.mktemp("system"), FEEDS) as running:
        yield running


def test_a_burst_during_a_run_leaves_no_file_waiting(system):
    first = system.drop("burst", "first")
    until(lambda: system.are(first, states.CLAIMED, states.SUCCEEDED), PATIENCE)
    rest = system.drop("burst", *(f"more-{number}" for number in range(25)))
    system.done(first + rest, PATIENCE)
    assert {run["run_type"] for run in system.runs("burst")} == {"asset_triggered"}


def test_files_that_arrive_while_the_dag_is_paused_are_taken_once_it_is_not(system):
    system.pause("paused", paused=True)
    files = system.drop("paused", "one", "two")
    until(lambda: system.ledger.get(states.bell_key("paused")), PATIENCE)
    until(lambda: system.are(files, states.ARRIVED), PATIENCE)
    system.pause("paused", paused=False)
    system.done(files, PATIENCE)


def test_a_file_does_not_wait_for_a_long_backfill_as_it_would_with_bounded_runs(system):
    backfills = [system.backfill(feed, days=30) for feed in ("filled", "bounded")]
    until(lambda: all(len(_backfill_runs(system, feed)) >= 29 for feed in ("filled", "bounded")), PATIENCE)
    file, starved = system.drop("filled", "arrives"), system.drop("bounded", "arrives")
    system.done(file, PATIENCE)
    assert len(_unfinished(system, "filled")) > 20
    assert system.are(starved, states.ARRIVED)
    for backfill in backfills:
        system.cancel(backfill)
    system.done(starved, PATIENCE)


def test_messages_that_come_three_times_are_one_file_each(system):
    system.proxy.thrice.add("filebatch-local-thrice")
    files = system.drop("thrice", *(f"file-{number}" for number in range(8)))
    system.done(files, PATIENCE)
    until(lambda: system.proxy.again and system.queue_is_empty("thrice"), PATIENCE)
    system.done(files, 1)


def test_a_queue_that_is_out_of_reach_for_20_seconds_delays_and_loses_nothing(system):
    system.proxy.dead.add("filebatch-local-deaf")
    since = time.monotonic()
    files = system.drop("deaf", "one", "two")
    until(lambda: system.proxy.cut and time.monotonic() > since + 20, PATIENCE, every=0.5)
    assert system.items(files) == []
    assert system.part("triggerer").is_alive()
    system.proxy.dead.clear()
    system.done(files, PATIENCE)


def test_a_triggerer_killed_between_receive_and_record_and_between_record_and_acknowledge(system):
    early = system.proxy.hold("PutItem", "dies-early/")
    late = system.proxy.hold("DeleteMessageBatch", "filebatch-local-dies-late")
    files = system.drop("dies-early", "file") + system.drop("dies-late", "file")
    assert early.reached.wait(PATIENCE)
    assert late.reached.wait(PATIENCE)
    assert [item["feed"] for item in system.items(files)] == ["dies-late"]
    signal_group(system.part("triggerer").pid, signal.SIGKILL)
    system.proxy.holds.clear()
    system.restart("triggerer")
    system.done(files, PATIENCE)
    until(lambda: system.queue_is_empty("dies-early") and system.queue_is_empty("dies-late"), PATIENCE)
    system.done(files, 1)


def test_bucket_ledger_and_results_agree_in_the_end(system):
    assert system.audit().splitlines()[0].startswith("lost=0 doubled=0 untrue=0")


def _backfill_runs(system: Whole, feed: str) -> list[dict[str, str]]:
    return [run for run in system.runs(feed) if run["run_type"] == "backfill"]


def _unfinished(system: Whole, feed: str) -> list[dict[str, str]]:
    return [run for run in _backfill_runs(system, feed) if run["state"] in ("queued", "running")]
