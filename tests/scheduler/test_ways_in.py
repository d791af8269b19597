"""What people and mishaps do to runs on a real scheduler: each file once, and again only when somebody says so."""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

from aws import ROOT
from browsing import ask, chromium, picture
from filebatch.core import clock, paths, run_moves
from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.core.rows import Row
from filebatch.intake import listing
from filebatch.runs import jobs as jobs_of_runs
from filebatch.runs.announcing import ANNOUNCING_TAKES
from files_page import tab_of
from local_system import airflow, parts
from scheduler.harness import DAILY, PATIENCE, TODAY, Whole, task_path, wait, whole

pytestmark = pytest.mark.scheduler
FEED = "days"
PAYMENTS = "payments"  # a feed whose program fails for one partner until a rate is known, and refuses another's file
PROGRAM = """
import pathlib, shutil, sys
known, given, made = map(pathlib.Path, sys.argv[1:])
if "partner-x" in given.read_text() and not known.exists():
    sys.exit("no exchange rate for XPF in the table of rates")
if "partner-z" in given.read_text():
    print("line 2: an amount without a currency", file=sys.stderr)
    sys.exit(65)
shutil.copy(given, made / "copy.csv")
"""
WEATHER = "weather"  # a feed of tables
VIEWER = "eve"
HOSTILE = "<img src=x onerror=\"document.title='owned'\">\n'\"&\N{PILE OF POO}\u202e"
# A job of this feed is at work until the gate is there, a file: so that people can stop it before.
SLOW, SLOWLY = "slow", 'while [ ! -e "$3" ]; do sleep 0.2; done; cp "$1" "$2/copy"'
BEFORE, AFTER = "before", "after"  # a slow feed with a gate of its own that gets another name
TOLD = "told"  # a feed whose first `notify` stands still once people have been told
DAYS = [TODAY - timedelta(days=ago) for ago in (12, 11, 10)]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gate") / "open"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, gate: Path) -> Iterator[Whole]:
    notifier = {
        "notifier": "stands_still.StandsStill",
        "arguments": {"file": str(gate.parent / TOLD)},
        "when": "always",
    }
    feeds = {
        FEED: DAILY,
        SLOW: slow(gate),
        PAYMENTS: payments(gate.parent / "known"),
        WEATHER: {},
        BEFORE: slow(gate.parent / AFTER),
        TOLD: {"notify": {"notifiers": [notifier]}},
    }
    with whole(tmp_path_factory.mktemp("system"), feeds, users=f"{VIEWER}:VIEWER") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def files(system: Whole) -> list[Row[FileRecord]]:
    """Two files a day that no event announces: only a backfill finds them, once the day's sweep is over."""
    wait(lambda: [run for run in system.runs(FEED) if run["state"] == "success"])
    events = system.client("events")
    for rule in events.list_rules()["Rules"]:
        if FEED in rule["Name"]:
            events.disable_rule(Name=rule["Name"])
    return [key for day in DAYS for key in system.drop(FEED, "a", "b", day=day)]


def slow(gate: Path) -> dict[str, Any]:
    """Return a feed whose jobs are at work until a file is there."""
    command = ["/bin/sh", "-c", SLOWLY, "slowly", "{input}", "{output}", str(gate)]
    return {"processor": "command", "options": {"command": command}}


def payments(known: Path) -> dict[str, Any]:
    """Return a feed whose program lacks a rate as long as a certain file isn't there."""
    command = [sys.executable, "-c", PROGRAM, str(known), "{input}", "{output}"]
    return {"processor": "command", "options": {"command": command}, "max_attempts": 1, "show_values": True}


def backfill(
    system: Whole,
    *,
    again: bool = False,
    conf: Mapping[str, Any] = MappingProxyType({}),
    first: date = DAYS[0],
    last: date = DAYS[-1],
) -> list[dict[str, Any]]:
    """Create a backfill of some days, wait until its runs have ended, and return all that there are."""
    body = {
        "dag_id": FEED,
        "from_date": f"{first}T00:00:00Z",
        "to_date": f"{last}T00:00:00Z",
        "reprocess_behavior": "completed" if again else "none",
        "max_active_runs": 3,
        "dag_run_conf": dict(conf),
    }
    created = airflow.ask(system.config.api, "POST", "/api/v2/backfills", body)
    path = f"/api/v2/backfills/{created['id']}"
    wait(lambda: airflow.ask(system.config.api, "GET", path)["completed_at"])
    runs = [run for run in system.runs(FEED) if run["run_type"] == "backfill"]
    assert {run["state"] for run in runs} == {"success"}
    return runs


def generations(system: Whole, files: list[Row[FileRecord]]) -> set[int]:
    items = system.items(files)
    assert {item.state for item in items} == {FileState.SUCCEEDED}
    assert len(items) == len(files)
    return {item.generation for item in items}


def test_a_backfill_does_each_days_files_once(system: Whole, files: list[Row[FileRecord]]) -> None:
    runs = backfill(system)

    assert len(runs) == len(DAYS)
    assert generations(system, files) == {1}
    assert len(system.jobs(FEED)) == len(DAYS)
    runs_of = {item.key.split("/")[1]: item.run_id for item in system.items(files)}
    assert len(set(runs_of.values())) == len(DAYS)


def test_the_same_backfill_again_submits_nothing(system: Whole, files: list[Row[FileRecord]]) -> None:
    before = system.jobs(FEED)

    backfill(system)

    assert system.jobs(FEED) == before
    assert generations(system, files) == {1}


def test_a_backfill_that_reprocesses_does_each_day_again_as_a_new_generation(
    system: Whole, files: list[Row[FileRecord]]
) -> None:
    results = {item.key: item.result for item in system.items(files)}

    backfill(system, again=True)

    assert generations(system, files) == {2}
    for item in system.items(files):
        assert item.result == results[item.key].replace("/g1/", "/g2/")
        for uri in (results[item.key], item.result):
            bucket, key = uri.removeprefix("s3://").split("/", 1)
            result = json.loads(system.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            assert all(system.s3.head_object(Bucket=bucket, Key=output["key"]) for output in result["outputs"])


def test_clearing_process_files_of_a_settled_run_settles_again_and_submits_nothing(
    system: Whole, files: list[Row[FileRecord]]
) -> None:
    before, run = system.jobs(FEED), system.items(files)[0].run_id

    clear(system, run, "process_files")

    assert system.jobs(FEED) == before
    assert generations(system, files) == {2}


def test_clearing_claim_files_of_a_settled_run_does_its_files_again(
    system: Whole, files: list[Row[FileRecord]]
) -> None:
    run = system.items(files)[0].run_id
    day = [key for key, item in zip(files, system.items(files), strict=True) if item.run_id == run]

    clear(system, run, "claim_files", "process_files", "publish_metrics", "notify")

    assert generations(system, day) == {3}
    assert generations(system, [key for key in files if key not in day]) == {2}


def clear(system: Whole, run_id: str, *tasks: str) -> None:
    """Clear tasks of a run, as a user does in the UI, and wait until it has ended again."""
    body = {"dry_run": False, "dag_run_id": run_id, "task_ids": list(tasks), "only_failed": False}
    airflow.ask(system.config.api, "POST", f"/api/v2/dags/{FEED}/clearTaskInstances", body)
    wait(lambda: system.state(FEED, run_id) == "success")


ASKED, NEXT = TODAY - timedelta(days=5), TODAY - timedelta(days=4)


@pytest.fixture(scope="module")
def two_days(system: Whole, files: list[Row[FileRecord]]) -> tuple[list[Row[FileRecord]], list[Row[FileRecord]]]:
    return system.drop(FEED, "a", day=ASKED), system.drop(FEED, "a", day=NEXT)


def test_a_trigger_with_a_past_date_does_the_files_of_the_day_that_begins_there(
    system: Whole, two_days: tuple[list[Row[FileRecord]], list[Row[FileRecord]]]
) -> None:
    asked, following = two_days

    assert system.trigger(FEED, logical_date=f"{ASKED}T00:00:00Z") == "success"

    assert generations(system, asked) == {1}
    assert system.items(following) == []


def test_a_trigger_with_a_mistyped_param_fails_and_does_nothing(
    system: Whole, two_days: tuple[list[Row[FileRecord]], list[Row[FileRecord]]]
) -> None:
    assert system.trigger(FEED, conf={"key": [f"{FEED}/{NEXT}/a.csv"]}) == "failed"

    assert system.items(two_days[1]) == []


def test_a_trigger_for_a_named_file_that_is_done_fails_unless_it_is_forced(
    system: Whole, two_days: tuple[list[Row[FileRecord]], list[Row[FileRecord]]]
) -> None:
    conf = {"keys": [f"{FEED}/{NEXT}/a.csv"]}

    assert system.trigger(FEED, conf=conf) == "success"
    assert system.trigger(FEED, conf=conf) == "failed"

    assert generations(system, two_days[1]) == {1}


def test_a_backfill_with_force_does_done_days_again_and_leaves_out_those_that_have_runs(
    system: Whole, two_days: tuple[list[Row[FileRecord]], list[Row[FileRecord]]]
) -> None:
    before = {run["dag_run_id"] for run in system.runs(FEED)}

    ended = backfill(system, conf={"force": True}, first=ASKED, last=NEXT)

    (run,) = [each for each in ended if each["dag_run_id"] not in before]
    assert run["logical_date"] == f"{NEXT}T00:00:00Z"
    assert (generations(system, two_days[0]), generations(system, two_days[1])) == ({1}, {2})


def test_a_backfill_whose_runs_were_deleted_does_what_came_since_and_with_force_all_again_under_the_same_ids(
    system: Whole, files: list[Row[FileRecord]]
) -> None:
    day, known = DAYS[1], files[2:4]
    (run_id,) = {item.run_id for item in system.items(known)}
    assert run_id
    (before,) = generations(system, known)

    system.delete(FEED, run_id)
    came = system.drop(FEED, "c", day=day)
    backfill(system, first=day, last=day)

    assert (generations(system, known), generations(system, came)) == ({before}, {1})

    system.delete(FEED, run_id)
    backfill(system, conf={"force": True}, first=day, last=day)

    assert (generations(system, known), generations(system, came)) == ({before + 1}, {2})
    assert {item.run_id for item in system.items([*known, *came])} == {run_id}


def test_a_notify_that_is_killed_when_people_have_been_told_tells_once_more_and_its_event_comes(
    system: Whole, gate: Path
) -> None:
    (row,) = system.drop(TOLD, "file")
    wait((gate.parent / TOLD).exists)
    (item,) = system.items([row])
    run_id, claim = item.run_id or "", RunRecord.at(TOLD, item.claim or "")

    os.kill(int((gate.parent / TOLD).read_text(encoding="utf-8")), signal.SIGKILL)

    wait(lambda: tried(system, run_id) == ("up_for_retry", 2))  # who was killed may be telling people still
    assert len(system.messages(run_id)) == 1
    assert system.events(TOLD, "results") == []

    given_up(system, claim)
    wait(lambda: system.state(TOLD, run_id) == "success")
    assert len(system.messages(run_id)) == 2
    (event,) = system.events(TOLD, "results")
    assert (event["extra"]["run_id"], event["extra"]["results"]) == (run_id, 1)


def tried(system: Whole, run_id: str) -> tuple[str, int]:
    """Return the state of a run's `notify`, and which try it is at."""
    found = system.task(TOLD, run_id, "notify")
    return found["state"], found["try_number"]


def given_up(system: Whole, claim: Row[RunRecord]) -> None:
    """Have it be so late that whoever began to announce a claim is taken for dead."""
    record = system.ledger.get(claim)
    assert record
    now = clock.now()
    system.ledger.move(run_moves.announcing(record, until=now, now=now + ANNOUNCING_TAKES))


def test_a_feed_that_is_renamed_while_a_file_is_claimed_and_one_waits_has_both_under_its_new_name(
    system: Whole, gate: Path
) -> None:
    claimed, _, job = system.at_work(BEFORE, "claimed")
    (item,) = system.items(claimed)
    parts.stop([system.part("dag-processor")])  # which takes a paused DAG's doorbell away when it next reads the file
    system.pause(BEFORE, paused=True)
    waits = system.drop(BEFORE, "waits")
    wait(lambda: system.are(waits, FileState.ARRIVED))
    system.client("batch").terminate_job(jobId=job, reason="the feed gets another name")
    wait(lambda: system.job(job)["status"] == "FAILED")

    rename(system)
    past = clock.now() - timedelta(minutes=1)
    system.ledger.move(run_moves.heartbeat(BEFORE, item.claim or "", timeout=timedelta(), now=past))
    (gate.parent / AFTER).touch()

    assert system.trigger(AFTER) == "success"
    assert system.are(waits, FileState.SUCCEEDED)
    system.begin(AFTER, conf={"keys": [item.key]})  # or the bell has it tried again, once its backoff is over
    wait(lambda: system.are(claimed, FileState.SUCCEEDED))
    both = system.items([*claimed, *waits])
    assert [(each.feed, each.state, each.generation, each.attempts) for each in both] == [
        (AFTER, FileState.SUCCEEDED, 1, 2),
        (AFTER, FileState.SUCCEEDED, 1, 1),
    ]
    results = system.aws.settings["buckets"]["results"]
    found = [file.key for feed in (BEFORE, AFTER) for file in listing.versions(system.s3, results, f"results/{feed}/")]
    committed = [key for key in found if key.endswith(paths.RESULT_FILE)]
    assert sorted(f"s3://{results}/{key}" for key in committed) == sorted(each.result or "" for each in both)
    assert system.audit().startswith("lost=0 doubled=0 untrue=0 stuck=0")


def rename(system: Whole) -> None:
    """Give a feed's file its new name, and wait until Airflow listens to it."""
    feeds = system.config.dags / "feeds"
    (feeds / f"{BEFORE}.yaml").rename(feeds / f"{AFTER}.yaml")
    system.prefixes[AFTER] = BEFORE
    system.restart("dag-processor")
    wait(lambda: AFTER in airflow.watched(system.config.api))


def test_a_task_that_is_marked_failed_has_its_job_ended_and_its_file_tried_again(system: Whole) -> None:
    """From Airflow 3.3 on at once; before, as soon as another run of the feed looks at runs that are over."""
    keys, run_id, job = system.at_work(SLOW, "stopped")

    airflow.ask(system.config.api, "PATCH", task_path(SLOW, run_id, "process_files"), {"new_state": "failed"})
    wait(lambda: system.state(SLOW, run_id) == "failed")
    system.begin(SLOW)

    wait(lambda: system.job(job)["status"] == "FAILED")
    assert system.job(job)["statusReason"] in (jobs_of_runs.TASK_ENDED, jobs_of_runs.RUN_OVER)
    system.begin(SLOW)
    wait(lambda: system.are(keys, FileState.FAILED))
    (item,) = system.items(keys)
    assert (item.reason.code, item.attempts) == ("terminated", 1)
    assert item.due_at


def test_a_task_that_is_cleared_and_a_dag_that_is_paused_leave_the_job_at_work(system: Whole, gate: Path) -> None:
    keys, run_id, job = system.at_work(SLOW, "cleared")
    body = {"dry_run": False, "dag_run_id": run_id, "task_ids": ["process_files"], "only_failed": False}
    airflow.ask(system.config.api, "POST", f"/api/v2/dags/{SLOW}/clearTaskInstances", body)
    wait(lambda: system.task(SLOW, run_id, "process_files")["state"] == "deferred")
    system.pause(SLOW, paused=True)
    gate.touch()

    wait(lambda: system.are(keys, FileState.SUCCEEDED))

    assert system.state(SLOW, run_id) == "running"
    system.pause(SLOW, paused=False)
    wait(lambda: system.state(SLOW, run_id) == "success")
    assert system.job(job)["status"] == "SUCCEEDED"
    (item,) = system.items(keys)
    assert (item.attempts, item.run_id) == (1, run_id)


@pytest.mark.browser
def test_a_failed_file_is_found_in_the_browser_read_retried_and_seen_to_succeed(
    system: Whole, gate: Path, files: list[Row[FileRecord]], browser: Browser
) -> None:
    rows = system.drop(PAYMENTS, "partner-x", "partner-y", "partner-z")
    key = key_of(rows[0])
    system.begin(PAYMENTS)
    wait(lambda: sorted(item.state for item in system.items(rows)) == ["FAILED", "INVALID", "SUCCEEDED"])
    shown = browser.new_page(viewport={"width": 1200, "height": 700})
    shown.goto(system.config.api.login)
    shown.goto(f"{system.config.api.url}/plugin/filebatch")
    frame = shown.frame_locator("iframe")
    frame.get_by_role("cell", name="settled").first.wait_for()
    picture(shown, "feeds", height=400)
    frame.get_by_role("button", name=PAYMENTS).click()
    frame.locator("#rows tr").nth(2).wait_for()
    picture(shown, "files", height=440)
    frame.get_by_label("Key").fill("partner-x")
    frame.get_by_label("Key").press("Enter")
    frame.locator("#rows tr").nth(1).wait_for(state="detached")
    frame.get_by_role("button", name=key).click()
    assert "no exchange rate for XPF" in frame.locator(".line").first.inner_text()
    assert f"{key}' failed: bug" in frame.locator("#log").inner_text()
    frame.get_by_label("Reason").fill("the rate is known now")
    picture(shown, "file", height=740)
    shown.evaluate("document.documentElement.classList.replace('light', 'dark')")  # as Airflow's own switch does
    picture(shown, "file-dark", height=740)
    shown.evaluate("document.documentElement.classList.replace('dark', 'light')")
    (gate.parent / "known").touch()
    frame.get_by_role("button", name="retry").click()
    frame.locator("#file-state", has_text="SUCCEEDED").wait_for(timeout=PATIENCE * 1000)
    picture(shown, "file-done", height=740)
    told = "retry: the rate is known now\nFiles: 1 succeeded of 1 file"
    wait(lambda: told in (notes := [run["note"] or "" for run in system.runs(PAYMENTS)]) and failed_one(notes))


def failed_one(notes: list[str]) -> bool:
    return any(note.startswith("Files: 1 failed") for note in notes)


def key_of(row: Row[FileRecord]) -> str:
    return row.pk.split("/", 3)[3]


@pytest.mark.browser
def test_what_the_table_of_a_file_holds_is_seen_in_the_browser(system: Whole, browser: Browser) -> None:
    rows = system.drop(WEATHER, "seattle", body=(ROOT / "samples" / "seattle-weather.csv").read_bytes())
    wait(lambda: system.are(rows, FileState.SUCCEEDED))
    shown = tab_of(browser, system.config, VIEWER)
    shown.goto(f"{system.config.api.url}/filebatch/page?feed={WEATHER}&key={quote(key_of(rows[0]))}")
    shown.get_by_role("img", name="Values from least to greatest").first.wait_for()
    picture(shown, "profile", height=980)


@pytest.mark.browser
def test_a_viewer_reads_why_sees_no_button_and_starts_nothing(system: Whole, browser: Browser) -> None:
    shown = tab_of(browser, system.config, VIEWER)
    shown.goto(f"{system.config.api.url}/filebatch/page?feed={PAYMENTS}")
    shown.get_by_role("button", name="partner-z").click()
    assert "The file is wrong" in shown.locator(".line").first.inner_text()
    assert shown.get_by_role("button", name="redo").count() == shown.get_by_label("Reason").count() == 0
    asked = {"feed": PAYMENTS, "action": "redo", "keys": [f"{PAYMENTS}/{TODAY}/partner-z.csv"], "reason": "let me"}
    headers = {"Content-Type": "application/json"}
    before = len(system.runs(PAYMENTS))
    act = f"{system.config.api.url}/filebatch/api/act"
    assert ask(shown, act, method="POST", headers=headers, body=json.dumps(asked)).startswith("403 ")
    assert len(system.runs(PAYMENTS)) == before


@pytest.mark.browser
def test_a_key_that_is_markup_is_done_and_shown_as_text(system: Whole, browser: Browser) -> None:
    rows = system.drop(PAYMENTS, HOSTILE)
    wait(lambda: system.are(rows, FileState.SUCCEEDED))
    shown = tab_of(browser, system.config, VIEWER)
    shown.goto(f"{system.config.api.url}/filebatch/page?feed={PAYMENTS}")
    shown.get_by_role("button", name="<img").click()
    shown.locator("#whole-key").wait_for()
    assert shown.locator("#whole-key").text_content() == key_of(rows[0])
    assert (shown.locator("img").count(), shown.title()) == (0, "Files")


def test_bucket_ledger_and_results_agree_in_the_end(system: Whole) -> None:
    assert system.audit().splitlines()[0].startswith("lost=0 doubled=0 untrue=0")


def test_a_system_that_is_up_again_listens_to_feeds_that_were_left_paused(system: Whole) -> None:
    """The last one: what the local AWS held is gone afterwards."""
    system.pause(FEED, paused=True)
    wait(lambda: FEED not in airflow.watched(system.config.api))

    system.again()

    assert FEED in airflow.watched(system.config.api)
