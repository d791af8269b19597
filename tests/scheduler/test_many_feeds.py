"""Sixty feeds, on one triggerer or two: each feed's doorbell is heard. Nobody takes what they record."""

from collections.abc import Iterator
from importlib.metadata import version

import pytest
from packaging.version import Version

from aws import stays
from filebatch.core.records import FileRecord, FileState
from filebatch.core.rows import Row
from local_system import airflow
from scheduler.harness import Whole, wait, whole

pytestmark = pytest.mark.scheduler

FEEDS = [f"feed-{number:02d}" for number in range(60)]
LIMIT = "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP"
STOCK = 50
ASSIGNS_ONLY_SO_MANY = Version(version("apache-airflow")) < Version("3.3")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """A system whose triggerer is yet as Airflow comes."""
    feeds = {feed: {} for feed in FEEDS}
    with whole(tmp_path_factory.mktemp("system"), feeds, "bells_file.py", **{LIMIT: str(STOCK)}) as running:
        yield running


@pytest.fixture(scope="module")
def first(system: Whole) -> dict[str, list[Row[FileRecord]]]:
    return drop(system, "first")


def drop(system: Whole, name: str) -> dict[str, list[Row[FileRecord]]]:
    return {feed: system.drop(feed, name) for feed in FEEDS}


def deaf(system: Whole, files: dict[str, list[Row[FileRecord]]]) -> set[str]:
    """Return the feeds whose file is not in the ledger."""
    found = {item.feed for item in system.items([key for keys in files.values() for key in keys])}
    return set(FEEDS) - found


@pytest.mark.skipif(not ASSIGNS_ONLY_SO_MANY, reason="this Airflow assigns all triggers, however it is set")
def test_a_triggerer_as_airflow_comes_leaves_some_feeds_without_a_doorbell(system, first):
    wait(lambda: len(deaf(system, first)) <= len(FEEDS) - STOCK)
    stays(lambda: len(deaf(system, first)) == len(FEEDS) - STOCK, 20)


def test_one_triggerer_hears_all_feeds(system, first):
    system.restart("triggerer", **{LIMIT: "1000"})
    wait(lambda: not deaf(system, first))
    wait(lambda: all(system.runs(feed) for feed in FEEDS))


def test_two_triggerers_hear_all_feeds_and_record_each_file_once(system):
    system.start("triggerer")
    wait(lambda: airflow.triggerers(system.config.api) == 2)
    files = drop(system, "second")
    wait(lambda: not deaf(system, files))
    wait(lambda: all(system.queue_is_empty(feed) for feed in FEEDS))
    recorded = [file for file in system.ledger.scan() if isinstance(file, FileRecord)]
    assert len(recorded) == 2 * len(FEEDS)
    assert {item.state for item in recorded} == {FileState.ARRIVED}
