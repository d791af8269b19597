"""Files that arrive start the work by themselves, whatever else goes on.

Each test has a feed of its own, and beside it one whose protection is taken away (`WITHOUT` in dags_file.py): what
becomes of that one's files shows that the test would notice.
"""

import signal
import time
from collections.abc import Iterator

import pytest

from aws import stays
from filebatch.core.records import FileState
from filebatch_local.base.processes import signal_group
from local_system import airflow, parts
from scheduler.harness import DAILY, PATIENCE, Whole, wait, whole

pytestmark = pytest.mark.scheduler

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
    wait(lambda: all(system.are(first[feed], FileState.CLAIMED, FileState.SUCCEEDED) for feed in feeds))
    rest = {feed: system.drop(feed, *BURST) for feed in feeds}
    system.done(first["burst"] + rest["burst"])
    assert {run["run_type"] for run in system.runs("burst")} == {"asset_triggered"}
    assert system.claimed("no-levels-burst") < len(BURST)
    assert FileState.ARRIVED in {file.state for file in system.items(rest["no-levels-burst"])}


def test_files_that_arrive_while_the_dag_is_paused_are_taken_once_it_is_not(system):
    feeds = ("paused", "no-levels-paused")
    parts.stop([system.part("dag-processor")])  # which takes a paused DAG's doorbell away when it next reads the file
    for feed in feeds:
        system.pause(feed, paused=True)
    heard, left = (system.drop(feed, "heard") for feed in feeds)
    wait(lambda: all(map(system.events, feeds)))
    system.restart("dag-processor")
    wait(lambda: airflow.watched(system.config.api).isdisjoint(feeds))
    system.restart("triggerer")  # or the doorbells might hear one more before it is told
    unheard = system.drop("paused", "unheard")
    assert system.are(heard + left, FileState.ARRIVED)
    assert system.items(unheard) == []
    for feed in feeds:
        system.pause(feed, paused=False)
    system.done(heard + unheard)
    wait(lambda: airflow.watched(system.config.api).issuperset(feeds))
    stays(lambda: system.are(left, FileState.ARRIVED), LEFT_FOR_GOOD)


def test_a_file_does_not_wait_for_a_long_backfill_as_it_would_with_bounded_runs(system):
    feeds = ("filled", "no-space-filled")
    backfills = [system.backfill(feed, days=30) for feed in feeds]
    wait(lambda: all(len(_backfill_runs(system, feed)) >= 29 for feed in feeds))
    file, starved = system.drop("filled", "arrives"), system.drop("no-space-filled", "arrives")
    system.done(file)
    assert len(system.unfinished("filled")) > 20
    wait(lambda: system.are(starved, FileState.ARRIVED))
    for backfill in backfills:
        system.cancel(backfill)
    system.done(starved)


def test_messages_that_come_three_times_are_one_file_each(system):
    feeds = ("thrice", "no-condition-thrice")
    system.proxy.thrice.update(f"filebatch-local-{feed}" for feed in feeds)
    files, again = (system.drop(feed, *(f"file-{number}" for number in range(8))) for feed in feeds)
    system.done(files)
    wait(lambda: system.are(again, FileState.SUCCEEDED) and not any(map(system.unfinished, feeds)))
    assert system.proxy.send_again()
    wait(lambda: all(map(system.queue_is_empty, feeds)))
    system.done(files, 1)
    wait(lambda: system.claimed("no-condition-thrice") > len(again))


def test_a_queue_that_is_out_of_reach_for_20_seconds_delays_and_loses_nothing(system):
    feeds = ("deaf", "no-patience-deaf")
    system.proxy.dead.update(f"filebatch-local-{feed}" for feed in feeds)
    since = time.monotonic()
    files, lost = (system.drop(feed, "one", "two") for feed in feeds)
    wait(lambda: system.proxy.cut and time.monotonic() > since + 20)
    assert system.items([*files, *lost]) == []
    assert system.part("triggerer").is_alive()
    system.proxy.dead.clear()
    system.done(files)
    assert system.items(lost) == []
    assert not system.queue_is_empty("no-patience-deaf")


def test_a_triggerer_killed_between_receive_and_record_and_between_record_and_acknowledge(system):
    unrecorded, unacknowledged = ("early", "no-order-early"), ("late", "no-condition-late")
    early = [system.proxy.hold("PutItem", f"/{feed}/") for feed in unrecorded]
    late = [system.proxy.hold("DeleteMessageBatch", f"filebatch-local-{feed}") for feed in unacknowledged]
    waiting, lost, once, doubled = (system.drop(feed, "file") for feed in (*unrecorded, *unacknowledged))
    for hold in late:  # its message stays away, or a run's own look at the queue would acknowledge it
        assert hold.reached.wait(PATIENCE)
        system.return_in(2 * PATIENCE, hold)
    assert all(hold.reached.wait(PATIENCE) for hold in early)
    system.done(once + doubled)
    assert system.items(waiting + lost) == []
    signal_group(system.part("triggerer").pid, signal.SIGKILL)
    system.proxy.holds.clear()
    system.restart("triggerer")
    wait(lambda: not any(map(system.unfinished, unacknowledged)))
    for hold in late:
        system.return_in(0, hold)
    system.done(waiting + once)
    wait(lambda: all(map(system.queue_is_empty, (*unrecorded, "late"))))
    system.done(waiting + once, 1)
    assert system.items(lost) == []
    wait(lambda: system.claimed("no-condition-late") > len(doubled))


def test_bucket_ledger_and_results_agree_in_the_end_but_for_what_lost_its_protection(system):
    protected = [feed for feed in FEEDS if not feed.startswith("no-") or feed == "no-space-filled"]
    agree = system.audit(protected).splitlines()[0]
    assert agree.startswith("lost=0 doubled=0 untrue=0")
    assert agree.endswith("new=0")
    # Nobody has recorded it, and no sweep has looked: these feeds have no schedule.
    assert not system.audit().splitlines()[0].endswith("new=0")


def _backfill_runs(system: Whole, feed: str) -> list[dict[str, str]]:
    return [run for run in system.runs(feed) if run["run_type"] == "backfill"]
