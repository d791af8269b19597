"""`filebatch` from a shell: files found and explained in every state and on every way of not being in the ledger."""

import json
import shlex
from dataclasses import replace
from datetime import timedelta

import click
import pytest

from aws import DOCUMENTS, feed_of
from claims import Held
from filebatch.core import clock, run_moves
from filebatch.core.records import FileRecord, FileState
from filebatch.feeds import settings as settings_of
from filebatch.intake import listing
from filebatch_local.provision.documents import render

FEED = feed_of(pattern=r"(?P<date>\d{4}-\d{2}-\d{2})/[a-z]+\.csv", start="2026-01-01")
KEY = "orders/2026-01-02/a.csv"


def test_files_are_listed_as_json_with_whole_key_and_state(shell):
    shell.fail(shell.put())
    shell.put("orders/2026-01-02/b.csv")
    assert [(file["key"], file["state"]) for file in shell.json("files")] == [
        (KEY, "FAILED"),
        ("orders/2026-01-02/b.csv", "ARRIVED"),
    ]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--state", "failed"], 1),
        (["--state", "SUCCEEDED"], 0),
        (["--code", "bug"], 1),
        (["--code", "timeout"], 0),
        (["--key", "a.c"], 1),
        (["--key", f"  {KEY} "], 1),
        (["--since", "2026-01-01"], 2),
        (["--since", "2999-01-01"], 0),
        (["--feed", "orders"], 2),
        (["--limit", "1"], 1),
    ],
    ids=str,
)
def test_files_are_found_by(shell, options, found):
    shell.fail(shell.put())
    shell.put("orders/2026-01-02/b.csv")
    ended = shell.run("files", *options, "--json")
    assert len(json.loads(ended.stdout)) == found
    assert ended.exit_code == (0 if found else 3)


def test_a_url_is_taken_for_its_key_and_another_buckets_is_refused(shell):
    shell.fail(shell.put())
    assert len(shell.json("files", "--key", f"s3://{shell.place.new_files}/{KEY}")) == 1
    ended = shell.run("files", "--key", f"s3://other/{KEY}")
    assert ended.exit_code == 2
    assert shell.place.new_files in ended.stderr


def test_keys_of_strangers_are_neither_markup_nor_control_characters(shell):
    shell.place.arrive(shell.place.put("orders/2026-01-02/[red]\x1b[2J.csv"), feed=FEED)
    ended = shell.run("files")
    assert "[red]" in ended.stdout.replace("\n", "").replace(" ", "")
    assert "\x1b" not in ended.stdout


def test_a_key_is_in_one_line_where_the_list_goes_into_a_pipe(shell):
    key = f"orders/2026-01-02/{'a' * 200}.csv"
    shell.put(key)
    assert key in shell.run("files").stdout


def test_a_terminal_of_80_columns_breaks_no_word_of_feeds(shell, monkeypatch):
    shell.fail(shell.put())
    shell.put("orders/2026-01-02/b.csv")
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "80", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    lines = click.unstyle(shell.run("feeds").stdout).splitlines()
    assert max(map(len, lines)) <= 80
    words = " ".join(lines).split()
    assert {"feed", "arrived", "claimed", "succeeded", "invalid", "failed", "orders"} <= {*words}
    (feed,) = shell.json("feeds")
    assert {*feed["oldest_waiting"][:19].split("T")} <= {*words}


def test_feeds_tell_their_counts_the_oldest_waiting_and_the_last_arrival(shell):
    shell.fail(shell.put())
    shell.put("orders/2026-01-02/b.csv")
    (feed,) = shell.json("feeds")
    assert feed["feed"] == "orders"
    assert feed["counts"]["FAILED"] == {"number": 1, "more": False}
    assert feed["counts"]["ARRIVED"] == {"number": 1, "more": False}
    assert feed["oldest_waiting"]
    assert "orders" in shell.run("feeds").stdout


# Why: every state.


def why(shell, key=KEY):
    """Return what is said of a key: its state, and all sentences with what to do next."""
    found = shell.json("why", key)
    assert found["key"] == key
    return found["state"], "\n".join([*found["said"], f"next: {found['next']}"])


def test_why_of_a_file_that_waits(shell):
    shell.put()
    state, said = why(shell)
    assert state == "ARRIVED"
    assert "waits for a run since" in said
    assert "next: nothing: the feed's next run takes it" in said


def test_why_of_a_file_that_has_waited_for_long(shell, monkeypatch):
    shell.put()
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(hours=1))
    assert "is the DAG paused" in why(shell)[1]


def test_why_of_a_file_that_a_run_has(shell):
    held = Held(shell.place, {"a.csv": b"a\n1\n"}, feed=feed_of())
    shell.folder.joinpath("orders.yaml").write_text("prefix: orders/\nstart: 2020-01-01\n")
    state, said = why(shell, held.files[0].key)
    assert state == "CLAIMED"
    assert "Run manual__2026-01-02 has it since" in said
    assert "next: nothing: it is being done" in said


def test_why_of_a_file_whose_run_is_silent(shell):
    held = Held(shell.place, {"a.csv": b"a\n1\n"}, feed=feed_of())
    shell.folder.joinpath("orders.yaml").write_text("prefix: orders/\nstart: 2020-01-01\n")
    then = clock.now() - timedelta(hours=1)
    held.ctx.ledger.move(run_moves.heartbeat("orders", held.token, timeout=timedelta(), now=then))
    assert "no sign of life" in why(shell, held.files[0].key)[1]


def test_why_of_a_file_that_a_closed_claim_holds(shell):
    shell.claim(shell.put())
    assert f"filebatch release orders --key {KEY}" in why(shell)[1]


@pytest.mark.parametrize(
    ("outcome", "state", "expected"),
    [
        (FileState.SUCCEEDED, "SUCCEEDED", "Its result: s3://r/_result.json"),
        (
            FileState.INVALID,
            "INVALID",
            "with its values in _reason.json: quarantine/orders/",
        ),
    ],
)
def test_why_of_a_file_that_is_done(shell, outcome, state, expected):
    held = Held(shell.place, {"a.csv": b"a\n1\n"}, feed=feed_of())
    shell.folder.joinpath("orders.yaml").write_text("prefix: orders/\nstart: 2020-01-01\n")
    held.finish(state=outcome)
    found = why(shell, held.files[0].key)
    assert found[0] == state
    assert expected in found[1]
    assert f"filebatch redo orders --key {held.files[0].key} --reason" in found[1]


def test_why_of_a_file_that_is_tried_again(shell):
    shell.fail(shell.put(), retry=clock.parse_utc("2999-01-01T00:00:00Z"))
    state, said = why(shell)
    assert state == "FAILED"
    assert "attempt 1 of 3: bug, it broke" in said
    assert "next: nothing: it is tried again from 2999-01-01" in said


def test_why_of_a_file_that_failed_for_good(shell):
    shell.fail(shell.put(), code="out_of_memory")
    assert f"raise `memory` in the feed file, apply, then filebatch retry orders --key {KEY} --reason" in why(shell)[1]


def test_why_tells_of_a_newer_version_that_no_run_has_seen(shell):
    shell.fail(shell.put())
    shell.place.put(KEY, b"other")
    assert "A newer version lies in the bucket since" in why(shell)[1]


# Why: every way of not being in the ledger.


def test_why_of_a_key_of_no_feed(shell):
    state, said = why(shell, "invoices/a.csv")
    assert state == "no feed"
    assert "begins with no feed's prefix (orders: orders/)" in said


def test_why_of_a_key_that_is_not_there(shell):
    assert why(shell)[0] == "not there"


def test_why_of_a_key_that_was_deleted_says_since_when(shell):
    shell.place.put(KEY)
    shell.place.connect("s3").delete_object(Bucket=shell.place.new_files, Key=KEY)
    state, said = why(shell)
    assert state == "deleted"
    assert f"deleted from the bucket at {clock.to_iso(clock.now())[:10]}" in said


def test_a_key_that_begins_with_another_is_not_taken_for_it(shell):
    shell.place.put(f"{KEY}.gz")
    assert why(shell)[0] == "not there"


def test_why_of_a_key_that_does_not_match_says_which_part(shell):
    shell.place.put("orders/2026-01-02/A1.csv")
    state, said = why(shell, "orders/2026-01-02/A1.csv")
    assert state == "unmatched"
    assert "doesn't match" in said
    assert "it stops fitting at 'A1.csv'" in said


def test_why_of_a_key_whose_end_does_not_match(shell):
    shell.place.put("orders/2026-01-02/a.cs")
    assert "it begins as the pattern wants, but doesn't end so" in why(shell, "orders/2026-01-02/a.cs")[1]


def test_why_of_a_key_from_before_the_start(shell):
    shell.place.put("orders/2025-12-31/a.csv")
    state, said = why(shell, "orders/2025-12-31/a.csv")
    assert state == "history"
    assert "of 2025-12-31, before the feed's start 2026-01-01" in said


def test_why_of_a_marker(shell):
    shell.place.put("orders/2026-01-02/", b"")
    assert why(shell, "orders/2026-01-02/")[0] == "ignored"


def test_why_of_a_file_that_no_sweep_has_seen(shell):
    shell.place.put(KEY)
    state, said = why(shell)
    assert state == "not swept yet"
    assert "no sweep has been yet" in said


def test_why_of_a_file_whose_event_nobody_could_read(shell):
    shell.place.put(KEY)
    sqs, queue = shell.place.connect("sqs"), shell.place.settings().dead_letters("orders").rsplit("/", 1)[1]
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="no event")
    detail = {"bucket": {"name": shell.place.new_files}, "object": {"key": KEY, "etag": "0", "size": 8}}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"time": "2026-01-02T00:00:00Z", "detail": detail}))
    assert why(shell)[0] == "dead letter"


def test_the_dead_letter_queues_name_is_the_documents():
    assert render(DOCUMENTS, "queue")["dead_letter_suffix"] == settings_of.DEAD_LETTER_SUFFIX


def test_why_of_a_file_that_a_sweep_must_have_seen(shell):
    file = shell.place.put(KEY)
    later = clock.now() + timedelta(days=1)
    listing.sweep(shell.place.connect("s3"), shell.place.new_files, FEED, shell.place.ledger, later)
    shell.place.ledger.remove(FileRecord.at(file))
    state, said = why(shell)
    assert state == "lost"
    assert "run `filebatch audit`" in said


@pytest.mark.parametrize("asked", [["files"], ["why", KEY], ["feeds"], ["audit"]], ids=lambda asked: asked[0])
@pytest.mark.parametrize("spoilt", ["listed_at", "due_at", "arrived_at"])
def test_a_time_that_a_worker_has_spoilt_ends_no_command_with_a_traceback(shell, asked, spoilt):
    row = shell.put()
    shell.place.connect("dynamodb").update_item(
        TableName=shell.place.table,
        Key={"pk": {"S": row.pk}, "sk": {"S": row.sk}},
        UpdateExpression="SET #spoilt = :words",
        ExpressionAttributeNames={"#spoilt": spoilt},
        ExpressionAttributeValues={":words": {"S": "yesterday"}},
    )
    ended = shell.run(*asked)
    assert isinstance(ended.exception, SystemExit | None), ended.exception


def test_why_of_a_file_whose_claim_a_worker_has_spoilt(shell):
    token = shell.claim(shell.put())
    asked = run_moves.Asked("manual__1", 1, 0, "all files that wait")
    begun = run_moves.begin("orders", token, asked, timeout=timedelta(hours=1), now=clock.now())
    shell.place.ledger.add(replace(begun, due_at="yesterday"))
    assert why(shell)[0] == "CLAIMED"


# Acting.


@pytest.mark.parametrize("verb", ["retry", "redo", "release"])
def test_doing_files_again_needs_a_reason(shell, verb):
    assert shell.run(verb, "orders").exit_code == 2
    assert shell.run(verb, "orders", "--reason", " ").exit_code == 2


def test_a_dry_run_says_how_many_files_bytes_and_units(shell):
    shell.fail(shell.put())
    shell.fail(shell.put("orders/2026-01-02/b.csv"), code="timeout")
    whole, some = {"files": 2, "bytes": 16, "units": 1}, {"files": 1, "bytes": 8, "units": 1}
    assert shell.json("retry", "orders", "--reason", "x", "--dry-run") == whole
    assert shell.json("retry", "orders", "--reason", "x", "--dry-run", "--code", "bug") == some


def by_hand(shell, *arguments):
    """Return the confs of the runs that a command asks for where no Airflow answers."""
    commands = shell.json(*arguments, "--reason", "wrong rates")["no Airflow answers; do it with"]
    return [json.loads(shlex.split(command)[-1]) for command in commands]


def test_a_request_names_its_filters_and_not_each_file(shell):
    shell.fail(shell.put())
    shell.fail(shell.put("orders/2026-01-02/b.csv"), code="timeout")
    assert by_hand(shell, "retry", "orders", "--code", "timeout", "--since", "2026-01-02") == [
        {"state": "FAILED", "code": "timeout", "since": "2026-01-02T00:00:00.000Z", "reason": "wrong rates"}
    ]
    assert by_hand(shell, "redo", "orders", "--code", "bug") == [
        {"state": "FAILED", "code": "bug", "force": True, "reason": "wrong rates"}
    ]


@pytest.mark.parametrize("filters", [(), ("--key", " "), ("--code", "")])
def test_everything_is_not_done_again_where_a_filter_is_forgotten_or_empty(shell, filters):
    shell.fail(shell.put())
    assert shell.run("redo", "orders", "--reason", "x", *filters).exit_code == 2


def test_a_whole_key_names_its_file_alone_whatever_other_keys_contain_it(shell):
    shell.put("orders/2026-01-02/part-1")
    shell.fail(shell.put("orders/2026-01-02/part-10"))
    assert shell.run("retry", "orders", "--reason", "x", "--key", "orders/2026-01-02/part-1").exit_code == 3


def test_a_request_by_part_of_the_key_names_the_keys_as_many_as_a_run_is_told(shell, monkeypatch):
    monkeypatch.setattr("filebatch.cli.acting.MAX_KEYS", 2)
    keys = [f"orders/2026-01-02/{name}.csv" for name in "abc"]
    for key in keys:
        shell.fail(shell.put(key))
    found = by_hand(shell, "retry", "orders", "--key", "2026-01-02")
    assert sorted(key for conf in found for key in conf["keys"]) == keys
    assert [(len(conf["keys"]), conf["state"]) for conf in found] == [(2, "FAILED"), (1, "FAILED")]


def test_files_that_a_run_holds_are_released_by_a_run_too(shell):
    shell.claim(shell.put())
    assert by_hand(shell, "release", "orders") == [{"state": "CLAIMED", "reason": "wrong rates"}]


def test_where_no_airflow_answers_the_command_that_does_it_is_printed(shell):
    shell.fail(shell.put())
    found = shell.json("redo", "orders", "--reason", "wrong rates", "--key", KEY)
    (command,) = found["no Airflow answers; do it with"]
    assert (
        command
        == f"""airflow dags test orders --conf '{{"keys": ["{KEY}"], "reason": "wrong rates", "force": true}}'"""
    )


def test_for_people_that_command_is_a_line_to_copy(shell):
    shell.fail(shell.put())
    *_, line = shell.run("retry", "orders", "--reason", "wrong rates").stdout.splitlines()
    assert shlex.split(line)[:4] == ["airflow", "dags", "test", "orders"]
    assert json.loads(shlex.split(line)[-1]) == {"state": "FAILED", "reason": "wrong rates"}


def test_nothing_to_retry_ends_with_three_and_says_for_what_it_is(shell):
    shell.put()
    ended = shell.run("retry", "orders", "--reason", "x")
    assert ended.exit_code == 3
    assert ended.stderr == "nothing to retry: no file that was asked for is FAILED\n"


# Faults.


def test_without_settings_it_says_where_they_come_from(shell, monkeypatch):
    monkeypatch.delenv("AIRFLOW_VAR_FILEBATCH")
    ended = shell.run("feeds")
    assert ended.exit_code == 1
    assert 'eval "$(make -s env)"' in ended.stderr
    assert ended.stdout == ""


def test_an_unknown_feed_is_told_with_those_there_are(shell):
    ended = shell.run("files", "--feed", "order")
    assert ended.exit_code == 1
    assert "did you mean 'orders'" in ended.stderr or "orders" in ended.stderr


def test_audit_ends_with_one_where_something_is_wrong(shell):
    assert shell.run("audit").exit_code == 0
    shell.claim(shell.put())
    ended = shell.run("audit")
    assert ended.exit_code == 1
    assert "stuck=1" in ended.stdout


def test_an_older_ledger_is_brought_into_the_index(shell):
    shell.put()
    assert shell.run("index").stdout == "0 files listed\n"


def test_what_takes_long_says_so_on_a_terminal_and_not_in_a_pipe(shell, monkeypatch):
    shell.put()
    assert "searching" not in shell.run("files").stderr
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "80", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    ended = shell.run("files")
    assert "searching" in ended.stderr
    assert "searching" not in ended.stdout
