"""The DAG folder as Airflow loads it: a DAG per feed, broken feeds as import errors, nothing fetched on the way."""

import shutil
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.taskinstance import TaskInstance
from airflow.sdk.definitions.context import _AIRFLOW_PARSING_CONTEXT_DAG_ID, _AIRFLOW_PARSING_CONTEXT_TASK_ID
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction

from filebatch.feeds.feed import load_feeds
from filebatch.feeds.selection import PARAMS

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "dags"


@pytest.fixture(autouse=True)
def _no_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")


def load(folder: Path) -> DagBag:
    return DagBag(str(folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(DAGS, tmp_path / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "dags"


def test_each_feed_has_its_dag_and_nothing_is_broken() -> None:
    bag = load(DAGS)
    feeds, errors = load_feeds(DAGS / "feeds")

    assert (errors, bag.import_errors) == ([], {})
    assert {feed.name for feed in feeds} <= set(bag.dag_ids)


def test_a_broken_feed_is_an_import_error_and_leaves_the_others_alive(folder: Path) -> None:
    (folder / "feeds" / "broken.yaml").write_text("prefix: broken/\nstart: 2026-01-01\nvcpu: 3\n")

    bag = load(folder)

    assert {"weather", "tables"} <= set(bag.dag_ids)
    (error,) = bag.import_errors.values()
    assert "broken.yaml: vcpu: expected" in error
    assert "found 3" in error


def test_feeds_that_overlap_are_an_import_error_each_and_leave_the_others_alive(folder: Path) -> None:
    for name, prefix in {"aaa": "orders/", "orders": "orders/"}.items():
        (folder / "feeds" / f"{name}.yaml").write_text(f"prefix: {prefix}\nstart: 2026-01-01\n")

    bag = load(folder)

    assert {"weather", "tables"} <= set(bag.dag_ids)
    assert not {"aaa", "orders"} & set(bag.dag_ids)
    (error,) = bag.import_errors.values()
    assert "aaa.yaml: prefix: expected one that doesn't overlap with 'orders/' of orders.yaml" in error
    assert "orders.yaml: prefix: expected one that doesn't overlap with 'orders/' of aaa.yaml" in error


@pytest.fixture
def of_task(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Parse as the process of a task does: Airflow says by the environment which task of which DAG it's for."""

    def told(dag_id: str, task_id: str) -> None:
        monkeypatch.setenv(_AIRFLOW_PARSING_CONTEXT_DAG_ID, dag_id)
        monkeypatch.setenv(_AIRFLOW_PARSING_CONTEXT_TASK_ID, task_id)

    return told


def test_a_task_builds_the_dag_that_it_runs_and_reads_no_other_feed(folder: Path, of_task: Any) -> None:
    (folder / "feeds" / "broken.yaml").write_text("prefix: broken/\n")
    of_task("weather", "claim_files")

    bag = load(folder / "file_to_batch.py")

    assert (bag.dag_ids, bag.import_errors) == (["weather"], {})


def test_a_task_of_a_feed_that_is_broken_says_so(folder: Path, of_task: Any) -> None:
    (folder / "feeds" / "weather.yaml").write_text("prefix: weather/\nstart: 2026-01-01\nvcpu: 3\n")
    of_task("weather", "claim_files")

    (error,) = load(folder / "file_to_batch.py").import_errors.values()

    assert "weather.yaml: vcpu: expected" in error


def test_a_command_that_names_a_dag_still_learns_that_its_feed_overlaps(folder: Path, monkeypatch: Any) -> None:
    (folder / "feeds" / "more.yaml").write_text("prefix: weather/more/\nstart: 2026-01-01\n")
    monkeypatch.setenv(_AIRFLOW_PARSING_CONTEXT_DAG_ID, "weather")

    assert "weather" not in load(folder).dag_ids


def delays(task: Any, day: int) -> list[float]:
    """Return the seconds that Airflow waits before each further try of a task; they depend on the run's date."""
    ended = datetime(2026, 1, day, tzinfo=UTC)
    names = {"dag_id": "weather", "task_id": task.task_id, "task": task, "logical_date": ended, "end_date": ended}
    names["retry_delay_override"] = None  # which 3.3 asks for
    tries = [SimpleNamespace(**names, try_number=number) for number in range(1, task.retries + 1)]
    return [(TaskInstance.next_retry_datetime(each) - ended).total_seconds() for each in tries]  # type: ignore[arg-type]


def test_a_task_that_failed_is_tried_again_in_seconds_and_for_minutes() -> None:
    found = [delays(task, day) for task in load(DAGS).dags["weather"].tasks for day in range(1, 29)]

    assert max(each[0] for each in found) <= 10
    assert all(300 <= sum(each) <= 660 for each in found)


EXTREMES = {
    "the longest processor": f"processor: {'p' * 99}:{'f' * 100}",
    "the longest description": f"description: {'d' * 200}",
    "a template as description": "description: '{{ 1 / 0 }}'",
    "the last start": "start: 2100-01-01",
    "the first start": "start: 1970-01-01",
    "a schedule of leap days": "schedule: 0 0 29 2 *",
    "an alias as schedule": "schedule: '@yearly'",
}


@pytest.mark.parametrize("what", EXTREMES)
def test_whatever_a_feed_may_say_all_feeds_have_dags_with_a_next_run(folder: Path, what: str) -> None:
    fields = {"prefix": "prefix: orders/", "start": "start: 2026-01-01"}
    fields[EXTREMES[what].partition(":")[0]] = EXTREMES[what]
    (folder / "feeds" / "feed.yaml").write_text("\n".join(fields.values()))

    bag = load(folder)

    assert ({"feed", "weather", "tables"} - set(bag.dag_ids), bag.import_errors) == (set(), {})
    dag = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags["feed"]))
    assert dag.timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(dag.start_date, None, catchup=False)
    )


def test_a_new_feed_is_one_file(folder: Path) -> None:
    (folder / "feeds" / "orders.yaml").write_text("prefix: orders/\nstart: 2026-01-01\n")

    dag = load(folder).dags["orders"]

    assert list(dag.task_dict) == ["wait_for_files", "claim_files", "process_files", "publish_metrics", "notify"]


def test_loading_makes_no_network_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a DAG was loaded with the network's help")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    assert load(DAGS).import_errors == {}


@pytest.mark.parametrize("feed", ["weather", "tables"])
def test_tasks_that_tell_run_whatever_happened_and_do_not_hide_it(feed: str) -> None:
    dag = load(DAGS).dags[feed]

    told = [task for task in dag.tasks if task.is_teardown]
    assert sorted(task.task_id for task in told) == ["notify", "publish_metrics"]
    assert all(not task.on_failure_fail_dagrun for task in told)
    assert [task.task_id for task in dag.tasks if not task.is_teardown] == [
        "wait_for_files",
        "claim_files",
        "process_files",
    ]
    assert not any(task.is_mapped for task in dag.tasks)  # so there are as many instances for any number of files


def test_the_form_says_what_each_field_means() -> None:
    dag = load(DAGS).dags["weather"]

    for name in PARAMS:
        param = dag.params.get_param(name)
        assert param.schema["title"], name
        assert len(param.description or param.schema.get("description", "")) > 20, name
    assert dag.doc_md is not None
    assert "weather/" in dag.doc_md
