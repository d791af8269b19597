"""The whole way with `airflow dags test`, as a user types it: S3, queue, ledger, DAG, Batch, workers, results, SNS."""

import contextlib
import json
import re
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.subscriber import Subscriber
from e2e.steps import a_run
from e2e.system import ROOT, System
from filebatch.core import clock, run_moves
from filebatch.core.conditions import Equal, Present
from filebatch.core.moves import Move
from filebatch.core.publishing import NOT_PUBLISHED
from filebatch.core.records import FileState, RunRecord
from filebatch.core.rows import Row
from filebatch.core.run_moves import Asked
from filebatch.feeds.feed import Feed, load_feed
from filebatch.runs import takeover
from filebatch_local.base.ports import free_port

pytestmark = pytest.mark.airflow


def test_a_raising_file_fails_alone_and_the_run_says_which_and_why(here: System, inbox: Subscriber) -> None:
    for number in range(13):
        here.put(f"lines/good-{number}.txt", "one\ntwo\n")
    here.put("lines/raises.txt", "raise\n")
    here.put("lines/broken.txt", "invalid\n")
    here.put("lines/not!ours.txt", "unmatched\n")

    run = here.dags_test("lines")

    assert run.code != 0, run.output[-3000:]
    assert "lines/raises.txt" in run.output
    assert "RuntimeError at line 17 of line_count (count_lines)" in run.output
    assert "RuntimeError: this file makes the processor raise" not in run.output
    assert "lines: 1 failed, 1 invalid, 13 succeeded of 15 files" in run.output
    assert "'lines/broken.txt': line 1; quarantined" in run.output
    assert "    | RuntimeError" in run.output  # the end of the container's log
    assert "failed: 1 files of 15" in run.output
    assert run.output.count("starting task_id=process_files") == 1  # one try, for what one run decided
    assert "\nTraceback" not in run.output
    assert "Found endpoint" not in run.output
    assert notes(here) == ["Files: 1 failed, 1 invalid, 13 succeeded of 15 files"]
    page, log = links(here)
    assert re.fullmatch(r"/dags/lines/runs/manual__[^/]+/plugin/run-files", page)
    assert log.startswith("https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:")
    states = here.states("lines/")
    assert states.pop("lines/raises.txt") == "FAILED"
    assert states.pop("lines/broken.txt") == "INVALID"
    good = [f"lines/good-{number}.txt" for number in range(13)]
    assert states == dict.fromkeys(good, "SUCCEEDED")
    assert_one_array_job_of_three_units(here)
    assert_metrics_count_each_file_once(here)
    assert_both_topics_were_told(inbox)


def notes(here: System) -> list[str]:
    """Return what Airflow's list of runs shows beside each."""
    return [content for (content,) in asked(here, "SELECT content FROM dag_run_note")]


def links(here: System) -> list[str]:
    """Return where the buttons of `process_files` lead that we add: the run's files, a container's log."""
    found = dict(asked(here, "SELECT key, value FROM xcom WHERE task_id = 'process_files'"))
    return [json.loads(found[f"_link_{name}"]) for name in ("FilesLink", "ContainerLogLink")]


def asked(here: System, statement: str) -> list[tuple[str, ...]]:
    with contextlib.closing(sqlite3.connect(here.folder / "airflow" / "airflow.db")) as database:
        return database.execute(statement).fetchall()


def assert_one_array_job_of_three_units(here: System) -> None:
    (record,) = here.runs("lines")
    assert here.jobs() == [record.job_name]
    assert (record.files, record.units, record.state) == (15, 3, "ANNOUNCED")
    (job,) = here.client("batch").describe_jobs(jobs=[record.job_id])["jobs"]
    assert job["arrayProperties"]["size"] == 3


def assert_metrics_count_each_file_once(here: System) -> None:
    assert here.metric("ProcessingSucceeded", "lines") == 13
    assert here.metric("ProcessingFailed", "lines") == 1
    assert here.metric("ProcessingInvalid", "lines") == 1
    assert here.metric("FilesClaimed", "lines") == 15
    assert here.metric("RunCompleted", "lines") == 1


def assert_both_topics_were_told(inbox: Subscriber) -> None:
    notes = inbox.received()
    assert sorted(note["topic"] for note in notes) == ["filebatch-local-developers", "filebatch-local-stakeholders"]
    for note in notes:
        assert note["attributes"] == {"feed": "lines", "status": "FAILED"}
        assert note["message"]["counts"] == {"SUCCEEDED": 13, "FAILED": 1, "INVALID": 1}
        assert note["message"]["files"][0]["key"] == "lines/raises.txt"
        assert "RuntimeError at line 17 of line_count (count_lines)" in note["message"]["files"][0]["error"]


def test_an_invalid_file_is_quarantined_with_the_reason_beside_it(here: System) -> None:
    result = here.result(here.files()["lines/broken.txt"])

    assert (result.state, result.outputs) == ("INVALID", ())
    assert result.reason is not None
    assert (result.reason.code, result.reason.where) == ("no-lines", {"line": 1})
    assert result.quarantine is not None
    assert result.quarantine.startswith("quarantine/lines/")
    assert here.s3.get_object(Bucket=here.results, Key=result.quarantine)["Body"].read() == b"invalid\n"


def test_a_result_names_its_outputs_and_nothing_else_counts(here: System) -> None:
    result = here.result(here.files()["lines/good-0.txt"])

    assert (result.rows, result.work.generation, result.notes) == (2, 1, {"options": {"unit": "line"}})
    (output,) = result.outputs
    assert here.s3.get_object(Bucket=here.results, Key=output.key)["Body"].read() == b"2\n"
    assert here.commits("lines/good-0.txt") == [here.files()["lines/good-0.txt"].result.split("/", 3)[3]]


def test_a_second_run_with_nothing_new_is_green_and_submits_no_job(here: System, inbox: Subscriber) -> None:
    before = here.jobs()
    forgotten = a_claim_of_a_run_that_airflow_has_forgotten(here)
    no_failed_file_is_due(here)

    run = here.dags_test("lines")

    assert run.code == 0, run.output[-3000:]
    assert "nothing to do for lines" in run.output
    assert here.ledger.get(forgotten).state == "ANNOUNCED"
    assert here.jobs() == before
    assert inbox.received() == []


def no_failed_file_is_due(here: System) -> None:
    """Put off what the test before has left to be tried again in a minute, however long this machine takes."""
    later = {"due_at": clock.to_iso(clock.now() + timedelta(hours=1))}
    for item in here.files("lines/").values():
        here.ledger.try_move(Move(item.row, (Equal("state", FileState.FAILED), Present("open")), become=later))


def a_claim_of_a_run_that_airflow_has_forgotten(here: System) -> Row[RunRecord]:
    asked, began = Asked("gone", 1, 0, "all that waits"), clock.now() - takeover.NEVER_SUBMITTED_AFTER
    record = run_moves.begin("lines", "0123456789abcdef-0001", asked, timeout=timedelta(hours=1), now=began)
    assert here.ledger.add(record)
    return record.row


@pytest.mark.usefixtures("inside")
def test_a_past_date_and_force_do_the_files_of_that_day_alone_again_in_whatever_zone_airflow_takes_dates(
    here: System, lines: Feed
) -> None:
    for day in ("2026-01-01", "2026-01-02", "2026-01-03"):
        here.put(f"lines/{day}/a.txt", "one\n")
    a_run(here, lines, logical_date=datetime(2026, 1, 1, tzinfo=UTC)).all()
    there = {**here.variables, "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Europe/Berlin"}

    run = replace(here, variables=there).dags_test("lines", "2026-01-01", conf={"force": True})

    assert run.code == 0, run.output[-3000:]
    assert "files of 2026-01-01 (UTC) under 'lines/'" in run.output
    assert here.files()["lines/2026-01-01/a.txt"].generation == 2
    states = here.states("lines/2026-01-")
    assert states.pop("lines/2026-01-01/a.txt") == "SUCCEEDED"
    assert set(states.values()) <= {"ARRIVED"}


def test_a_feed_file_is_all_that_a_running_system_needs(here: System) -> None:
    """The settings and the shell are those of before the feed."""
    (here.folder / "dags" / "feeds" / "late.yaml").write_text("prefix: late/\nstart: 2026-01-01\n")
    here.put("late/a.csv", "id\n1\n")

    run = here.dags_test("late")

    assert run.code == 0, run.output[-3000:]
    assert here.states("late/") == {"late/a.csv": "SUCCEEDED"}


def test_a_bad_conf_fails_at_once_and_names_the_field(here: System) -> None:
    before = here.jobs()

    run = here.dags_test("lines", conf={"keys": ["elsewhere/a.txt"]})

    assert run.code != 0
    assert "param 'keys'" in run.output
    assert here.jobs() == before


@pytest.mark.usefixtures("inside")
def test_a_sample_becomes_typed_parquet(here: System) -> None:
    """By the feed that has a schedule; the demo's own test does all samples by the other."""
    weather = (ROOT / "samples" / "seattle-weather.csv").read_bytes()
    here.put("weather/2026-01-02/seattle.csv", weather)

    a_run(here, load_feed(ROOT / "dags" / "feeds" / "weather.yaml")).all()

    result = here.result(here.files()["weather/2026-01-02/seattle.csv"])
    assert result.rows == weather.count(b"\n") - 1
    assert parquet_types(here, result, here.folder)["date"] == "DATE"


def test_conf_with_keys_and_force_does_just_those_again_and_is_green_though_nobody_takes_the_metrics(
    here: System,
) -> None:
    here.put("lines/waits.txt", "one\n")
    key = "lines/good-1.txt"
    nowhere = {"AWS_ENDPOINT_URL_CLOUDWATCH": f"http://127.0.0.1:{free_port()}"}

    run = replace(here, variables={**here.variables, **nowhere}).dags_test("lines", conf={"keys": [key], "force": True})

    assert run.code == 0, run.output[-3000:]
    assert NOT_PUBLISHED in run.output
    item = here.files()[key]
    assert (item.state, item.generation) == ("SUCCEEDED", 2)
    assert [name.split("/")[-2] for name in here.commits(key)] == ["g1", "g2"]
    assert here.states().get("lines/waits.txt", "ARRIVED") == "ARRIVED"


def parquet_types(here: System, result: Any, folder: Path) -> dict[str, str]:
    import duckdb

    (data,) = [output for output in result.outputs if output.name == "data.parquet"]
    here.s3.download_file(here.results, data.key, str(folder / "data.parquet"))
    described = duckdb.sql(f"DESCRIBE SELECT * FROM '{folder / 'data.parquet'}'").fetchall()
    return {row[0]: row[1] for row in described}
