"""Files that arrive start the work by themselves, whatever else goes on.

Each test has a feed of its own, and beside it one whose protection is taken away (`WITHOUT` in dags_file.py): what
becomes of that one's files shows that the test would notice.
"""

import signal
import time
from collections.abc import Iterator

import pytest

from aws import stays, until
from filebatch import states
from filebatch_local.processes import signal_group
from scheduler.harness import DAILY, Whole, whole

pytestmark = pytest.mark.scheduler

PATIENCE = 240  # seconds; it only says when to give up, on a machine that others use too
# Longer than an idle doorbell's look at the ledger, and than a ring is waited for.
LEFT_FOR_GOOD = 35  # seconds
BURST = [f"more-{number}" for number in range(25)]
FEEDS = {
    "burst": {"packing": {"claim": 5}},
    "no-levels-burst": {"packing": {"claim": 5}},
    "paused": {},
    "no-levels-paused": {},
    "filled": DAILY,
    "no-space-filled": DAILY,
    "thrice": {},
    "no-condition-thrice": {},
    "deaf": {},
    "no-patience-deaf": {},
    "early": {},
    "no-order-early": {},
    "late": {},
    "no-condition-late": {},
}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole(tmp_path_factory.mktemp("system"), FEEDS) as running:
        yield running


def test_a_burst_during_a_run_leaves_no_file_waiting(system):
    feeds = ("burst", "no-levels-burst")
    first = {feed: system.drop(feed, "first") for feed in feeds}
    until(lambda: all(system.are(first[feed], states.CLAIMED, states.SUCCEEDED) for feed in feeds), PATIENCE)
    rest = {feed: system.drop(feed, *BURST) for feed in feeds}
    system.done(first["burst"] + rest["burst"], PATIENCE)
    assert {run["run_type"] for run in system.runs("burst")} == {"asset_triggered"}
    assert system.claimed("no-levels-burst") < len(BURST)
    assert states.ARRIVED in {item["state"] for item in system.items(rest["no-levels-burst"])}


def test_files_that_arrive_while_the_dag_is_paused_are_taken_once_it_is_not(system):
    feeds = ("paused", "no-levels-paused")
    for feed in feeds:
        system.pause(feed, paused=True)
    files = {feed: system.drop(feed, "file") for feed in feeds}
    until(lambda: all(system.events(feed) for feed in feeds), PATIENCE)
    assert all(system.are(files[feed], states.ARRIVED) for feed in feeds)
    for feed in feeds:
        system.pause(feed, paused=False)
    system.done(files["paused"], PATIENCE)
    stays(lambda: system.are(files["no-levels-paused"], states.ARRIVED), LEFT_FOR_GOOD)


def test_a_file_does_not_wait_for_a_long_backfill_as_it_would_with_bounded_runs(system):
    feeds = ("filled", "no-space-filled")
    backfills = [system.backfill(feed, days=30) for feed in feeds]
    until(lambda: all(len(_backfill_runs(system, feed)) >= 29 for feed in feeds), PATIENCE)
    file, starved = system.drop("filled", "arrives"), system.drop("no-space-filled", "arrives")
    system.done(file, PATIENCE)
    assert len(_unfinished(system, "filled")) > 20
    assert system.are(starved, states.ARRIVED)
    for backfill in backfills:
        system.cancel(backfill)
    system.done(starved, PATIENCE)


def test_messages_that_come_three_times_are_one_file_each(system):
    feeds = ("thrice", "no-condition-thrice")
    system.proxy.thrice.update(f"filebatch-local-{feed}" for feed in feeds)
    files, again = (system.drop(feed, *(f"file-{number}" for number in range(8))) for feed in feeds)
    system.done(files, PATIENCE)
    until(lambda: system.proxy.again and all(system.queue_is_empty(feed) for feed in feeds), PATIENCE)
    system.done(files, 1)
    until(lambda: system.claimed("no-condition-thrice") > len(again), PATIENCE)


def test_a_queue_that_is_out_of_reach_for_20_seconds_delays_and_loses_nothing(system):
    feeds = ("deaf", "no-patience-deaf")
    system.proxy.dead.update(f"filebatch-local-{feed}" for feed in feeds)
    since = time.monotonic()
    files, lost = (system.drop(feed, "one", "two") for feed in feeds)
    until(lambda: system.proxy.cut and time.monotonic() > since + 20, PATIENCE, every=0.5)
    assert system.items([*files, *lost]) == []
    assert system.part("triggerer").is_alive()
    system.proxy.dead.clear()
    system.done(files, PATIENCE)
    assert system.items(lost) == []
    assert not system.queue_is_empty("no-patience-deaf")


def test_a_triggerer_killed_between_receive_and_record_and_between_record_and_acknowledge(system):
    early = [system.proxy.hold("PutItem", f"/{feed}/") for feed in ("early", "no-order-early")]
    late = [
        system.proxy.hold("DeleteMessageBatch", f"filebatch-local-{feed}") for feed in ("late", "no-condition-late")
    ]
    files, doubled = (
        system.drop("early", "file") + system.drop("late", "file"),
        system.drop("no-condition-late", "file"),
    )
    lost = system.drop("no-order-early", "file")
    assert all(hold.reached.wait(PATIENCE) for hold in early + late)
    system.done([*files[1:], *doubled], PATIENCE)
    assert system.items([files[0], *lost]) == []
    signal_group(system.part("triggerer").pid, signal.SIGKILL)
    system.proxy.holds.clear()
    system.restart("triggerer")
    system.done(files, PATIENCE)
    until(lambda: all(system.queue_is_empty(feed) for feed in ("early", "late", "no-order-early")), PATIENCE)
    system.done(files, 1)
    assert system.items(lost) == []
    until(lambda: system.claimed("no-condition-late") > len(doubled), PATIENCE)


def test_bucket_ledger_and_results_agree_in_the_end_but_for_what_lost_its_protection(system):
    protected = [feed for feed in FEEDS if not feed.startswith("no-") or feed == "no-space-filled"]
    assert system.audit(protected).splitlines()[0].startswith("lost=0 doubled=0 untrue=0")
    assert not system.audit().startswith("lost=0")


def _backfill_runs(system: Whole, feed: str) -> list[dict[str, str]]:
    return [run for run in system.runs(feed) if run["run_type"] == "backfill"]


def _unfinished(system: Whole, feed: str) -> list[dict[str, str]]:
    return [run for run in _backfill_runs(system, feed) if run["state"] in ("queued", "running")]
