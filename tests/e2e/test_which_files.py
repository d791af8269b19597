"""Which files a run takes, whatever events and keys are like; and what the audit says of what somebody broke."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from aws import until
from e2e.steps import a_run, assert_each_done_once, drop, states_of
from e2e.system import System
from filebatch.core.records import FileRecord
from filebatch.feeds.feed import Feed

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("audited")]


# ----------------------------------------------------------------------------------------------- events and keys


def test_a_file_announced_five_times_out_of_order_is_done_once(here: System, lines: Feed) -> None:
    first, second = drop(here, 2)
    sqs, queue = here.client("sqs"), here.aws.settings["queue_prefix"] + "lines"
    messages = until(lambda: waiting_messages(sqs, queue, 2))
    for message in reversed(messages * 4):
        sqs.send_message(QueueUrl=queue, MessageBody=message)

    a_run(here, lines).all()

    assert_each_done_once(here, [first, second])


def test_an_overwritten_file_is_a_new_one(here: System, lines: Feed) -> None:
    (key,) = drop(here, 1)
    a_run(here, lines).all()
    here.put(key, "one\ntwo\n")

    a_run(here, lines).all()

    versions = [file for file in here.ledger.scan() if isinstance(file, FileRecord) and file.key == key]
    assert [item.state for item in versions] == ["SUCCEEDED", "SUCCEEDED"]
    assert sorted(here.result(item).rows or 0 for item in versions) == [1, 2]


def test_a_version_deleted_before_its_turn_ends_invalid_and_says_so(here: System, lines: Feed) -> None:
    gone, stays = drop(here, 2)
    run = a_run(here, lines)
    run.task("claim_files")
    item = here.files()[gone]
    here.s3.delete_object(Bucket=item.bucket, Key=gone, VersionId=item.version_id)

    run.task("process_files")

    assert here.states()[stays] == "SUCCEEDED"
    assert (here.states()[gone], here.files()[gone].reason.code) == ("INVALID", "deleted")


def test_what_no_event_brought_the_sweep_finds(here: System, lines: Feed) -> None:
    keys = drop(here, 2)
    sqs, queue = here.client("sqs"), here.aws.settings["queue_prefix"] + "lines"
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
    places = {here.files()[key].result for key in keys}
    assert len(places) == len(keys)
    for place in places:
        path = place.split("/", 3)[3]
        assert path.startswith("results/lines/")
        assert ".." not in path.split("/")
        assert len(path) < 200


def waiting_messages(sqs: Any, queue: str, count: int) -> list[str]:
    """Read the bodies of waiting messages, leaving them visible."""
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
    return [message["Body"] for message in found] if len(found) >= count else []


# ------------------------------------------------------------------------------------------------- windows, redo


def test_a_backfill_takes_the_files_of_its_window_once_and_again_only_when_it_reprocesses(
    here: System, lines: Feed
) -> None:
    day = datetime(2025, 3, 4, tzinfo=UTC)
    inside, before, after = "lines/2025-03-04/a.txt", "lines/2025-03-03/a.txt", "lines/2025-03-05/a.txt"
    for key in (inside, before, after):
        here.put(key, "one\n")
    window = {"run_type": "backfill", "logical_date": day}
    run = a_run(here, lines, **window)

    run.all()
    assert states_of(here, [inside]) == {"SUCCEEDED"}
    assert states_of(here, [before, after]) <= {"ARRIVED", "unknown"}

    other = a_run(here, lines, **window)
    with pytest.raises(AirflowSkipException):
        other.all()
    assert here.files()[inside].generation == 1

    other.cleared().all()  # as --reprocess-behavior does to a run that found nothing to do
    assert here.files()[inside].generation == 2


def test_prefix_pattern_and_dates_take_just_what_fits_them_all(here: System, lines: Feed) -> None:
    wanted = ["lines/2025-05-01/shop-1.txt", "lines/2025-05-02/shop-2.txt"]
    others = ["lines/2025-05-01/depot.txt", "lines/2025-05-04/shop-1.txt", "lines/2025-06-01/shop-1.txt"]
    for key in wanted + others:
        here.put(key, "one\n")
    params = {"prefix": "lines/2025-05-", "pattern": r".*/shop-\d\.txt", "from": "2025-05-01", "to": "2025-05-03"}

    a_run(here, lines, params=params).all()

    assert_each_done_once(here, wanted)
    assert states_of(here, others) <= {"ARRIVED", "unknown"}


def test_files_of_a_window_that_another_run_holds_are_not_nothing_to_do(here: System, lines: Feed) -> None:
    key = "lines/2025-04-04/a.txt"
    here.put(key, "sleep\n2\n")
    holder = a_run(here, lines)
    holder.task("claim_files")
    run = a_run(here, lines, params={"from": "2025-04-04", "to": "2025-04-04"})

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

    assert here.files()[key].result.endswith("/g1/_result.json")
    assert here.result(here.files()[key]) == old
    run.task("process_files")
    new = here.result(here.files()[key])
    assert new.work.generation == 2
    assert {output.key for output in new.outputs}.isdisjoint(output.key for output in old.outputs)


# ----------------------------------------------------------------------------------------------------- the audit


def test_the_audit_names_what_somebody_broke_behind_its_back(here: System, lines: Feed) -> None:
    first, second, third = drop(here, 3)
    a_run(here, lines).all()
    items = here.files()
    here.ledger.remove(items[first].row)
    path = items[second].result.split("/", 3)[3]
    body = here.s3.get_object(Bucket=here.results, Key=path)["Body"].read()
    here.s3.put_object(Bucket=here.results, Key=path, Body=body)
    lost_result = items[third].result.split("/", 3)[3]
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
