"""Each file exactly once, whatever interrupts a run, and whoever runs beside it."""

import contextlib
import itertools
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from aws import until
from demo.subscriber import Subscriber, subscribe
from e2e.system import HERE, System, system
from e2e.tasks import DagRun, Run
from filebatch import claiming, jobs, states
from filebatch.feed import Feed, load_feed

pytestmark = pytest.mark.airflow
numbers = itertools.count()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(tmp_path_factory.mktemp("once"), feeds=[HERE / "feeds" / "lines.yaml"]) as running:
        yield running


@pytest.fixture(autouse=True)
def _environment(here: System, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in here.variables.items():
        if name.startswith(("AWS_", "AIRFLOW_VAR_", "AIRFLOW_CONN_")):
            monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def inbox(here: System) -> Subscriber:
    return subscribe(here.client("sns"), here.client("sqs"), here.aws.settings["topics"])


@pytest.fixture(autouse=True)
def _audited(here: System, _environment: None) -> Iterator[None]:
    """After every test the audit finds nothing, and nothing waits that the next test would stumble over."""
    yield
    finish(here)
    found = here.audit()
    assert found.startswith("lost=0 doubled=0 untrue=0 "), found


@pytest.fixture
def lines() -> Feed:
    return load_feed(HERE / "feeds" / "lines.yaml")


def a_run(here: System, feed: Feed, **facts: Any) -> Run:
    params = facts.pop("params", {})
    dag_run = DagRun(feed.name, f"manual__{next(numbers)}-{os.getpid()}", **facts)
    return Run(feed, here.aws.settings, dag_run, params)


def finish(here: System) -> None:
    with contextlib.suppress(AirflowSkipException, AirflowFailException):
        a_run(here, load_feed(HERE / "feeds" / "lines.yaml")).all()


def drop(here: System, count: int, content: str = "one\n") -> list[str]:
    batch = next(numbers)
    keys = [f"lines/batch-{batch}-{number}.txt" for number in range(count)]
    for key in keys:
        here.put(key, content)
    return keys


def states_of(here: System, keys: list[str]) -> set[str]:
    found = here.states()
    return {found.get(key, "unknown") for key in keys}


def assert_each_done_once(here: System, keys: list[str]) -> None:
    assert states_of(here, keys) == {"SUCCEEDED"}
    for key in keys:
        assert [name.split("/")[-2] for name in here.commits(key)] == ["g1"]


# ------------------------------------------------------------------------------------------------- repeated tasks


def test_a_repeated_claim_ends_in_the_same_place(here: System, lines: Feed) -> None:
    keys = drop(here, 7)
    run = a_run(here, lines)

    first = run.task("claim_files")
    drop(here, 1)  # what arrives meanwhile is not of this claim
    again = run.task("claim_files")

    assert again == first
    assert (first["files"], first["units"]) == (7, 2)
    run.task("process_files")
    assert_each_done_once(here, keys)


def test_process_files_done_again_after_success_submits_nothing_and_settles_again(here: System, lines: Feed) -> None:
    keys = drop(here, 2)
    run = a_run(here, lines).all()
    before = here.jobs()

    again = run.cleared()
    again.task("process_files")

    assert here.jobs() == before
    assert_each_done_once(here, keys)


def test_claim_files_of_a_settled_run_cleared_does_its_files_again(here: System, lines: Feed) -> None:
    keys = drop(here, 3)
    run = a_run(here, lines).all()

    run.cleared().all()

    for key in keys:
        assert here.files()[key]["generation"] == 2
        assert [name.split("/")[-2] for name in here.commits(key)] == ["g1", "g2"]


def test_claim_files_cleared_while_the_job_runs_waits_for_that_job(here: System, lines: Feed) -> None:
    keys = drop(here, 1, "sleep\n2\n")
    run = a_run(here, lines)
    run.task("claim_files")
    run.until_deferred("process_files")
    before = here.jobs()

    again = run.cleared()
    again.all()

    assert here.jobs() == before
    assert_each_done_once(here, keys)


def test_failed_files_get_another_round_when_process_files_is_cleared(here: System, lines: Feed) -> None:
    (key,) = drop(here, 1, "raise\n")
    run = a_run(here, lines)
    with pytest.raises(AirflowFailException, match="makes the processor raise"):
        run.all()

    with pytest.raises(AirflowFailException):
        run.cleared().task("process_files")

    item = here.files()[key]
    assert (item["state"], item["attempts"], item["generation"]) == ("FAILED", 2, 1)
    (record,) = [found for found in here.runs("lines") if found["run_id"] == run.facts.run_id]
    assert record["round"] == 2
    retire(here, [key])


# ------------------------------------------------------------------------------------------------ events and keys


def test_a_file_announced_five_times_out_of_order_is_done_once(here: System, lines: Feed) -> None:
    first, second = drop(here, 2)
    sqs, queue = here.client("sqs"), here.aws.settings["queues"]["lines"]
    messages = until(lambda: waiting_messages(sqs, queue, 2))
    for message in reversed(messages * 4):
        sqs.send_message(QueueUrl=queue, MessageBody=message)

    a_run(here, lines).all()

    assert_each_done_once(here, [first, second])


def waiting_messages(sqs: Any, queue: str, count: int) -> list[str]:
    """Read the bodies of waiting messages, leaving them visible."""
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
    return [message["Body"] for message in found] if len(found) >= count else []


def test_an_overwritten_file_is_a_new_one(here: System, lines: Feed) -> None:
    (key,) = drop(here, 1)
    a_run(here, lines).all()
    here.put(key, "one\ntwo\n")

    a_run(here, lines).all()

    versions = [item for item in here.ledger.scan() if item.get("key") == key]
    assert [item["state"] for item in versions] == ["SUCCEEDED", "SUCCEEDED"]
    assert sorted(here.result(item).rows or 0 for item in versions) == [1, 2]


def test_a_version_deleted_before_its_turn_ends_invalid_and_says_so(here: System, lines: Feed) -> None:
    gone, stays = drop(here, 2)
    run = a_run(here, lines)
    run.task("claim_files")
    item = here.files()[gone]
    here.s3.delete_object(Bucket=item["bucket"], Key=gone, VersionId=item["version_id"])

    run.task("process_files")

    assert here.states()[stays] == "SUCCEEDED"
    assert (here.states()[gone], here.files()[gone]["reason"]["code"]) == ("INVALID", "deleted")


def test_what_no_event_brought_the_sweep_finds(here: System, lines: Feed) -> None:
    keys = drop(here, 2)
    sqs, queue = here.client("sqs"), here.aws.settings["queues"]["lines"]
    until(lambda: waiting_messages(sqs, queue, 2))
    sqs.purge_queue(QueueUrl=queue)

    with pytest.raises(AirflowSkipException):
        a_run(here, lines, run_type="asset_triggered").all()
    assert states_of(here, keys) == {"unknown"}
    a_run(here, lines, run_type="scheduled").all()

    assert_each_done_once(here, keys)


STRANGE = [
    "spaces and  more .txt",
    "plus+plus%20percent%2F.txt",
    "quotes'\"`$(touch x);&|.txt",
    "../../../etc/passwd",
    "./a/../b.txt",
    "/leading.txt",
    "emoji-🎉-ü-日本.txt",
    "backslash\\n.txt",
    "semi;colon:at@eq=comma,#hash?query.txt",
    ("long-" * 300)[: 1024 - len("lines/x/")],
]


def test_any_key_goes_all_the_way_and_stays_inside_the_results_prefix(here: System, lines: Feed) -> None:
    keys = [f"lines/x/{name}"[:1024] for name in STRANGE]
    for key in keys:
        here.put(key, "one\n")

    a_run(here, lines).all()

    assert_each_done_once(here, keys)
    places = {here.files()[key]["result"] for key in keys}
    assert len(places) == len(keys)
    for place in places:
        path = place.split("/", 3)[3]
        assert path.startswith("results/lines/")
        assert ".." not in path.split("/")
        assert len(path) < 200


# --------------------------------------------------------------------------------------------- beside one another


def test_two_runs_at_once_never_hold_the_same_file(here: System, lines: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = drop(here, 6)
    one, other = a_run(here, lines), a_run(here, lines)
    planned = claiming.make_claim

    def meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(claiming, "make_claim", planned)
        other.task("claim_files")  # after the plan of the first, before its claim
        return planned(*arguments)

    monkeypatch.setattr(claiming, "make_claim", meanwhile)
    with pytest.raises(AirflowSkipException):
        one.all()
    other.task("process_files")

    assert_each_done_once(here, keys)
    assert {here.files()[key]["run_id"] for key in keys} == {other.facts.run_id}


def test_two_jobs_of_one_round_are_one_at_work(here: System, lines: Feed) -> None:
    keys = drop(here, 1, "sleep\n1\n")
    run = a_run(here, lines)
    claim = run.task("claim_files")
    record = next(found for found in here.runs("lines") if found["sk"] == claim["token"])
    batch = here.client("batch")
    twin = jobs.submit_request(
        settings_of(here), lines, record["job_name"], units=claiming.manifest_key("lines", record), count=1, memory=1024
    )
    twins = [batch.submit_job(**twin)["jobId"] for _ in range(2)]

    run.task("process_files")

    assert_each_done_once(here, keys)
    until(lambda: all(job["status"] == "SUCCEEDED" for job in batch.describe_jobs(jobs=twins)["jobs"]))
    assert here.metric("ProcessingSucceeded", "lines") >= 1


def test_a_job_that_left_the_work_to_another_has_no_say_in_what_became_of_it(
    here: System, lines: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = drop(here, 1, "sleep\n3\n")
    run = a_run(here, lines)
    claim = run.task("claim_files")
    record = next(found for found in here.runs("lines") if found["sk"] == claim["token"])
    batch = here.client("batch")
    twin = jobs.submit_request(
        settings_of(here), lines, record["job_name"], units=claiming.manifest_key("lines", record), count=1, memory=1024
    )

    def meanwhile(*_: Any) -> str:
        """Find a job that has ended without work, as another had begun since the owner record was read."""
        batch.submit_job(**twin)
        until(lambda: (here.ledger.get((record["pk"], record["sk"])) or {}).get("fence"))
        idle = str(batch.submit_job(**twin)["jobId"])
        until(lambda: batch.describe_jobs(jobs=[idle])["jobs"][0]["status"] == "SUCCEEDED")
        return idle

    monkeypatch.setattr(jobs, "find", meanwhile)
    run.task("process_files")

    assert_each_done_once(here, keys)


def settings_of(here: System) -> Any:
    from filebatch import settings

    return settings.parse(here.aws.settings)


# ------------------------------------------------------------------------------------------------------ dead runs


def test_a_run_that_died_after_its_plan_leaves_nothing_behind(
    here: System, lines: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = drop(here, 3)
    dead = a_run(here, lines)
    monkeypatch.setattr(claiming, "begin_round", died)
    with pytest.raises(DiedError):
        dead.task("claim_files")
    monkeypatch.undo()
    restore(here, monkeypatch)
    assert states_of(here, keys) == {"CLAIMED"}
    dead.die()

    a_run(here, lines).all()

    assert_each_done_once(here, keys)
    assert {here.files()[key]["attempts"] for key in keys} == {1}


def test_a_run_that_died_after_its_submit_is_settled_and_announced_once(
    here: System, lines: Feed, inbox: Subscriber
) -> None:
    inbox.received()
    keys = drop(here, 3)
    dead = a_run(here, lines)
    dead.task("claim_files")
    dead.until_deferred("process_files")
    dead.die()
    until(lambda: states_of(here, keys) == {"SUCCEEDED"})
    until(lambda: all_ended(here))

    follower = a_run(here, lines)
    with pytest.raises(AirflowSkipException):
        follower.task("claim_files")
    follower.finally_("notify")
    follower.finally_("notify")

    notes = [note for note in inbox.received() if note["message"]["run_id"] == dead.facts.run_id]
    assert [note["message"]["counts"] for note in notes] == [{"SUCCEEDED": 3}]
    assert_each_done_once(here, keys)


def test_a_job_whose_id_was_never_written_down_is_found_by_its_name(
    here: System, lines: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = drop(here, 1, "sleep\n1\n")
    run = a_run(here, lines)
    run.task("claim_files")
    monkeypatch.setattr(states, "submitted", died)
    with pytest.raises(DiedError):
        run.task("process_files")
    monkeypatch.undo()
    restore(here, monkeypatch)
    before = here.jobs()

    run.task("process_files")

    assert here.jobs() == before
    assert_each_done_once(here, keys)


def test_a_dead_run_whose_job_still_works_is_left_alone(here: System, lines: Feed) -> None:
    keys = drop(here, 1, "sleep\n3\n")
    dead = a_run(here, lines)
    dead.task("claim_files")
    dead.until_deferred("process_files")
    dead.die()

    with pytest.raises(AirflowSkipException):
        a_run(here, lines).all()

    assert states_of(here, keys) == {"CLAIMED"}
    until(lambda: states_of(here, keys) == {"SUCCEEDED"})
    until(lambda: all_ended(here))


def test_a_killed_worker_is_finished_by_batchs_retry(here: System, lines: Feed) -> None:
    keys = drop(here, 4)
    here.put(kill := f"lines/kill-{next(numbers)}.txt", "kill-once\n")
    counted = here.metric("ProcessingSucceeded", "lines")

    run = a_run(here, lines).all()

    assert_each_done_once(here, [*keys, kill])
    assert here.metric("ProcessingSucceeded", "lines") == counted + 5
    (record,) = [found for found in here.runs("lines") if found["run_id"] == run.facts.run_id]
    (job,) = here.client("batch").describe_jobs(jobs=[record["job_id"]])["jobs"]
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [137, 0]


def test_a_job_that_vanished_is_settled_by_what_was_committed(here: System, lines: Feed) -> None:
    done = drop(here, 1)
    slow = drop(here, 1, "sleep\n60\n")
    run = a_run(here, lines)
    claim = run.task("claim_files")
    run.until_deferred("process_files")
    until(lambda: here.commits(done[0]))
    record = next(found for found in here.runs("lines") if found["sk"] == claim["token"])
    here.aws.vanish(record["job_id"])

    with pytest.raises(AirflowFailException, match="vanished"):
        run._operator("process_files").execute_complete(
            run._context(), {"job_id": record["job_id"], "status": "VANISHED"}
        )

    assert states_of(here, done) == {"SUCCEEDED"}
    assert states_of(here, slow) == {"FAILED"}
    retire(here, slow)


# ---------------------------------------------------------------------------------------------------- windows, redo


def test_a_backfill_takes_the_files_of_its_window_once_and_again_only_when_it_reprocesses(
    here: System, lines: Feed
) -> None:
    day = datetime(2025, 3, 4, tzinfo=UTC)
    inside, before, after = "lines/2025-03-04/a.txt", "lines/2025-03-03/a.txt", "lines/2025-03-05/a.txt"
    for key in (inside, before, after):
        here.put(key, "one\n")
    window = {"run_type": "backfill", "logical_date": day, "data_interval_start": day}
    run = a_run(here, lines, **window, data_interval_end=datetime(2025, 3, 5, tzinfo=UTC))

    run.all()
    assert states_of(here, [inside]) == {"SUCCEEDED"}
    assert states_of(here, [before, after]) <= {"ARRIVED", "unknown"}

    other = a_run(here, lines, **window, data_interval_end=datetime(2025, 3, 5, tzinfo=UTC))
    with pytest.raises(AirflowSkipException):
        other.all()
    assert here.files()[inside]["generation"] == 1

    other.cleared().all()  # as --reprocess-behavior does to a run that found nothing to do
    assert here.files()[inside]["generation"] == 2


def test_prefix_pattern_and_dates_take_just_what_fits_them_all(here: System, lines: Feed) -> None:
    wanted = ["lines/2025-05-01/shop-1.txt", "lines/2025-05-02/shop-2.txt"]
    others = ["lines/2025-05-01/depot.txt", "lines/2025-05-04/shop-1.txt", "lines/2025-06-01/shop-1.txt"]
    for key in wanted + others:
        here.put(key, "one\n")
    params = {"prefix": "lines/2025-05-", "pattern": r".*/shop-\d\.txt", "from": "2025-05-01", "to": "2025-05-04"}

    a_run(here, lines, params=params).all()

    assert_each_done_once(here, wanted)
    assert states_of(here, others) <= {"ARRIVED", "unknown"}


def test_files_of_a_window_that_another_run_holds_are_not_nothing_to_do(here: System, lines: Feed) -> None:
    key = "lines/2025-04-04/a.txt"
    here.put(key, "sleep\n2\n")
    holder = a_run(here, lines)
    holder.task("claim_files")
    run = a_run(here, lines, params={"from": "2025-04-04", "to": "2025-04-05"})

    trigger = run.until_deferred("wait_for_files")
    with pytest.raises(Exception, match="held by other runs"):
        run.task("claim_files")

    assert trigger.serialize()[0].endswith("PauseTrigger")
    holder.task("process_files")
    assert_each_done_once(here, [key])


def test_readers_see_the_old_result_until_the_new_one_is_whole(here: System, lines: Feed) -> None:
    (key,) = drop(here, 1)
    a_run(here, lines).all()
    old = here.result(here.files()[key])
    run = a_run(here, lines, params={"keys": [key], "force": True})

    run.task("claim_files")

    assert here.files()[key]["result"].endswith("/g1/_result.json")
    assert here.result(here.files()[key]) == old
    run.task("process_files")
    new = here.result(here.files()[key])
    assert new.work.generation == 2
    assert {output.key for output in new.outputs}.isdisjoint(output.key for output in old.outputs)


# -------------------------------------------------------------------------------------------------------- the audit


def test_the_audit_names_what_somebody_broke_behind_its_back(here: System, lines: Feed) -> None:
    first, second, third = drop(here, 3)
    a_run(here, lines).all()
    items = here.files()
    here.ledger.remove(states.file_key_of(items[first]))
    path = items[second]["result"].split("/", 3)[3]
    body = here.s3.get_object(Bucket=here.results, Key=path)["Body"].read()
    here.s3.put_object(Bucket=here.results, Key=path, Body=body)
    lost_result = items[third]["result"].split("/", 3)[3]
    kept = here.s3.get_object(Bucket=here.results, Key=lost_result)["Body"].read()
    version = here.s3.list_object_versions(Bucket=here.results, Prefix=lost_result)["Versions"][0]["VersionId"]
    here.s3.delete_object(Bucket=here.results, Key=lost_result, VersionId=version)

    found = here.audit()

    assert found.startswith("lost=1 doubled=1 untrue=1 "), found
    assert first in found
    assert json.loads(body)["work"]["file"]["key"] == second
    assert third in found
    here.s3.put_object(Bucket=here.results, Key=lost_result, Body=kept)
    here.s3.delete_object(Bucket=here.results, Key=path, VersionId=newest(here, path))
    here.ledger.add(items[first])


def newest(here: System, key: str) -> str:
    versions = here.s3.list_object_versions(Bucket=here.results, Prefix=key)["Versions"]
    return next(str(version["VersionId"]) for version in versions if version["IsLatest"])


class DiedError(Exception):
    """The process ended here."""


def died(*_: Any, **__: Any) -> Any:
    raise DiedError


def restore(here: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment again that `undo` has taken away."""
    for name, value in here.variables.items():
        if name.startswith(("AWS_", "AIRFLOW_VAR_", "AIRFLOW_CONN_")):
            monkeypatch.setenv(name, value)


def all_ended(here: System) -> bool:
    return not here.aws.jobs() and time.sleep(0.2) is None and not here.aws.jobs()


def retire(here: System, keys: list[str]) -> None:
    """Let failed files wait no more, so that the next test isn't held up by them."""
    for key in keys:
        item = here.files()[key]
        here.s3.delete_object(Bucket=item["bucket"], Key=key, VersionId=item["version_id"])
