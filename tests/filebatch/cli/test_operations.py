"""Commands that act by themselves, and those that look at logs and at feed files before they are deployed."""

import json

import pytest

from aws import feed_of
from claims import Held
from filebatch.cli import operations
from filebatch.core import clock, history
from filebatch.core.records import FileRecord, FileState
from filebatch.intake import listing
from filebatch.queries import current
from filebatch.runs import current_results, forgetting, plans

KEY = "orders/2026-01-02/a.csv"


def dead_letters(shell, *bodies):
    sqs, queue = shell.place.connect("sqs"), shell.place.settings().dead_letters("orders").rsplit("/", 1)[1]
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)
    return url


def event(shell, key=KEY):
    file = shell.place.put(key)
    found = {"key": key, "etag": file.etag, "size": file.size, "version-id": file.version_id}
    detail = {"bucket": {"name": shell.place.new_files}, "object": found}
    return json.dumps({"time": "2026-01-02T00:00:00Z", "detail": detail}), FileRecord.at(file)


def test_what_lies_in_the_dead_letter_queue_is_recorded_and_what_nobody_can_read_stays(shell):
    good, row = event(shell)
    dead_letters(shell, good, "no event")
    told = {"new": 0, "known": 0, "left": 2, "no work": 0}
    assert shell.json("redrive", "orders", "--dry-run") == told
    ended = shell.run("redrive", "orders", "--json")
    assert json.loads(ended.stdout) == {**told, "new": 1, "left": 1}
    assert "docs/runbook.md, dead-letters" in ended.stderr
    assert shell.place.state(row) == FileState.ARRIVED
    assert shell.place.ledger.get(row).open == "file#orders"


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_feed_without_a_dead_letter_queue_is_told_which_is_missing(shell, options):
    ended = shell.run("redrive", "orders", *options)
    assert (ended.exit_code, "terraform apply" in ended.stderr) == (1, True)
    assert f"{shell.place.settings().dead_letters('orders')}: expected a dead-letter queue" in ended.stderr


# Forget.


@pytest.fixture
def done(place, shell):
    """A file of two versions that are done, one of them twice, beside a file whose key begins with its own."""
    held = Held(place, {"a.csv": b"1", "a.csv.old": b"2"}, feed_of())
    for number in range(2):
        held.finish(number)
    for result, area in ((held.result(0), "results"), (held.result(1), "results"), (held.result(0), "quarantine")):
        key = result.outputs[0].key.replace("results/", f"{area}/", 1)
        held.ctx.s3.put_object(Bucket=held.ctx.results, Key=key, Body=b"content")
    current_results.add(held.ctx, [held.item(0), held.item(1)])
    (shell.folder / "orders.yaml").write_text("prefix: orders/\nstart: 2020-01-01\n")
    return held


def objects(place, bucket, prefix=""):
    answer = place.connect("s3").list_object_versions(Bucket=bucket, Prefix=prefix)
    return [each["Key"] for each in (*answer.get("Versions", []), *answer.get("DeleteMarkers", []))]


def test_all_that_is_kept_of_a_key_is_erased_and_the_ledger_keeps_who_asked_and_why(place, shell, done):
    key, other = (file.key for file in done.files)
    place.connect("s3").put_object(Bucket=place.new_files, Key=key, Body=b"a version that nobody has seen")
    place.connect("s3").delete_object(Bucket=place.new_files, Key=key)
    dry = shell.json("forget", key, "--reason", "a person asked", "--dry-run")
    assert dry == {"versions": 1, place.new_files: 3, place.results: 3}
    assert key in objects(place, place.new_files)

    assert shell.json("forget", f"s3://{place.new_files}/{key}", "--reason", " a person asked ")["versions"] == 2
    assert objects(place, place.new_files, key) == [other]
    stem = done.item(0).file.identity[:12]
    assert [each for each in objects(place, place.results) if stem in each] == []
    assert [line["key"] for line in current.outputs(done.ctx)] == [other]
    file = done.item(0)
    assert (file.state, file.code, file.result, file.outputs, file.rows) == ("INVALID", "forgotten", None, None, None)
    last = history.read(file.history)[-1]
    assert (last.what, last.why) == ("forgotten", "a person asked")
    assert last.who.startswith("arn:aws:")
    findings = json.loads(shell.run("audit", "--json").stdout)["findings"]
    assert [each for each in findings if each["file"].endswith(key)] == []
    assert plans.plan_one(file, asked=True, force=True) is None
    told = shell.json("why", key)
    assert "erased" in " ".join(told["said"])
    assert "asked for by arn:aws" in told["timeline"][0]["what"]


@pytest.mark.parametrize("interrupted", [False, True])
def test_what_was_done_before_a_feed_was_renamed_is_erased_too(place, shell, monkeypatch, interrupted):
    former = Held(place, {"a.csv": b"1", "b.csv": b"2"}, feed_of(name="former", prefix="orders/"))
    for number in range(2):
        former.finish(number)
        for area in ("results", "quarantine"):
            key = former.result(number).outputs[0].key.replace("results/", f"{area}/", 1)
            former.ctx.s3.put_object(Bucket=former.ctx.results, Key=key, Body=b"content")
    current_results.add(former.ctx, [former.item(0), former.item(1)])
    listing.rehome(place.ledger, feed_of(), [former.item(0), former.item(1)], clock.now())
    key, other = (file.key for file in former.files)
    if interrupted:
        with monkeypatch.context() as patched:
            patched.setattr(forgetting, "_delete", killed)
            assert shell.run("forget", key, "--reason", "x").exit_code != 0
    assert shell.json("forget", key, "--reason", "x") == {"versions": 1, place.new_files: 1, place.results: 3}
    gone, left = (former.item(number).file.identity[:12] for number in (0, 1))
    found = objects(place, place.results)
    assert (sum(gone in each for each in found), sum(left in each for each in found)) == (0, 3)
    assert [line["key"] for line in current_results.read(former.ctx)] == [other]


def killed(*_):
    raise KeyboardInterrupt


def test_forgetting_is_done_again_after_an_interruption(place, shell, done, monkeypatch):
    key = done.files[0].key
    with monkeypatch.context() as patched:
        patched.setattr(forgetting, "_delete", killed)
        assert shell.run("forget", key, "--reason", "x").exit_code != 0
    assert done.item(0).forgotten_at
    assert shell.run("forget", key, "--reason", "x").exit_code == 0
    assert key not in objects(place, place.new_files)
    assert len([note for note in history.read(done.item(0).history) if note.what == "forgotten"]) == 1


def test_a_file_that_a_run_holds_is_not_forgotten(place, shell):
    held = Held(place, 1)
    (shell.folder / "orders.yaml").write_text("prefix: orders/\nstart: 2020-01-01\n")
    ended = shell.run("forget", held.files[0].key, "--reason", "x")
    assert (ended.exit_code, "held by run" in ended.stderr) == (1, True)
    assert held.files[0].key in objects(place, place.new_files)


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_key_of_which_an_item_cannot_be_read_is_not_forgotten_in_part(place, shell, options):
    row = shell.put()
    place.connect("dynamodb").update_item(
        TableName=place.table,
        Key={"pk": {"S": row.pk}, "sk": {"S": row.sk}},
        UpdateExpression="SET attempts = :words",
        ExpressionAttributeValues={":words": {"S": "many"}},
    )
    ended = shell.run("forget", KEY, "--reason", "x", *options)
    assert (ended.exit_code, "attempts: expected int, found 'many'" in ended.stderr) == (1, True)
    assert KEY in objects(place, place.new_files)


def test_a_run_that_planned_the_file_before_takes_it_no_more(place, shell):
    row = shell.put()
    planned = plans.plan_one(place.ledger.get(row), asked=True, force=False)
    assert shell.run("forget", KEY, "--reason", "x").exit_code == 0
    assert not place.ledger.try_move(planned.move("t", "r", place.ctx().now())).done


@pytest.mark.parametrize(("more", "said"), [(["--dry-run"], "dry run, would erase:\n"), ([], "erased:\n")])
def test_forgetting_tells_people_whether_anything_was_erased(shell, more, said):
    shell.fail(shell.put())
    assert shell.run("forget", KEY, "--reason", "a person asked", *more).stderr == said


def test_forgetting_wants_a_reason_and_says_where_there_is_nothing(shell):
    assert shell.run("forget", KEY).exit_code == 2
    assert shell.run("forget", KEY, "--reason", " ").exit_code == 2
    assert shell.run("forget", KEY, "--reason", "x").exit_code == 3
    assert shell.run("forget", "elsewhere/a.csv", "--reason", "x").exit_code == 1


def test_a_space_at_the_end_of_a_key_that_is_to_be_forgotten_is_the_keys_own(shell):
    shell.fail(shell.put())
    assert shell.run("forget", f"{KEY} ", "--reason", "x", "--dry-run").exit_code == 3
    assert shell.run("forget", KEY, "--reason", "x", "--dry-run").exit_code == 0


# A feed file before it is deployed.


def test_a_feed_that_is_not_deployed_says_what_it_makes_of_the_bucket(shell):
    for name in ("2026-01-02/a.csv", "2026-01-03/b.csv", "2025-12-31/old.csv", "2026-01-02/wrong.CSV", "2026-01-02/"):
        shell.place.put(f"orders/{name}", b"" if name.endswith("/") else b"12345678")
    found = shell.json("feed", "check", "orders")
    assert found["counts"] == {"work": 2, "history": 1, "unmatched": 1, "ignored": 1}
    assert (found["bytes"], found["first"][:10], found["last"][:10]) == (16, "2026-01-02", "2026-01-03")
    assert "wrong.CSV" in found["named"]["unmatched"][0]
    said = shell.run("feed", "check", "orders").stdout
    assert "work: 2" in said
    assert "history: 'orders/2025-12-31/old.csv'" in said


def test_a_feed_that_overlaps_with_another_is_told_with_both(shell):
    (shell.folder / "more.yaml").write_text("prefix: orders/more/\nstart: 2026-01-01\n")
    ended = shell.run("feed", "check", "more")
    assert ended.exit_code == 1
    assert "orders" in ended.stderr


def test_a_feed_to_which_nothing_is_work_ends_with_one(shell):
    shell.place.put("orders/x.txt")
    ended = shell.run("feed", "check", "orders")
    assert (ended.exit_code, "unmatched: 1" in ended.stdout) == (1, True)


# Looking on.


def test_watching_says_how_feeds_are_as_often_as_it_is_asked(shell):
    shell.put()
    lines = shell.run("watch", "--every", "0", "--times", "2", "--json").stdout.splitlines()
    assert [json.loads(line)["feeds"][0]["counts"]["ARRIVED"]["number"] for line in lines] == [1, 1]
    assert shell.run("watch", "--every", "0", "--times", "1").stdout.count("orders") == 1


def test_the_log_of_a_file_is_that_of_its_container(place, shell):
    held = Held(place, {"a.csv": b"1"}, feed_of())
    (shell.folder / "orders.yaml").write_text("prefix: orders/\nstart: 2020-01-01\n")
    assert shell.run("logs", held.files[0].key).exit_code == 3
    held.job("echo before; echo 'it broke here'; exit 78")
    ended = shell.run("logs", held.files[0].key, "--json")
    assert ended.exit_code == 0, ended.output
    assert "it broke here" in json.loads(ended.stdout)["lines"]
    plain = shell.run("logs", held.files[0].key)
    assert "it broke here" in plain.stdout.splitlines()
    assert "job " in plain.stderr


def test_audit_and_index_speak_json_too(shell):
    shell.claim(shell.put())
    ended = shell.run("audit", "--json")
    assert (ended.exit_code, [each["kind"] for each in json.loads(ended.stdout)["findings"]]) == (1, ["stuck"])
    assert shell.json("index") == {"listed": 0}


def test_every_command_of_this_module_is_there():
    assert {each.name for each in operations.COMMANDS} == {"logs", "redrive", "forget", "feed"}
