"""The worker's loop, as a process against real services: what becomes of each file, and what it tells of it."""

import hashlib
import json
import re

import pytest

from aws import Place, feed_of
from claims import RUN_ID, counted, summed
from filebatch.core import clock, paths
from filebatch.core.records import FileState
from filebatch.runs import settling
from workers import ACTS, JOB, Worker, held_of, keys_under, object_of, quarantine_of, result_of

WORDS = (
    "fine",
    "invalid",
    "raise",
    "fine too",
    "exit 0",
    "memory",
    "configuration",
    "deleted",
    "transient",
    "connection",
)
FINE, INVALID, RAISES, FINE_TOO, EXITS, MEMORY, CONFIGURATION, DELETED, TRANSIENT, CONNECTION = range(len(WORDS))


@pytest.fixture(scope="module")
def done(server):
    """Have a unit done in which everything goes wrong that can; return its claim, and how the worker ended."""
    held = held_of(Place(server), *WORDS)
    gone = held.files[DELETED]
    held.ctx.s3.delete_object(Bucket=gone.bucket, Key=gone.key, VersionId=gone.version_id)
    return held, Worker(held).run()


class TestAUnitWithEveryKindOfFile:
    """Each file has its own end, and the others go on."""

    @pytest.mark.parametrize(
        ("number", "state", "code"),
        [
            (FINE, FileState.SUCCEEDED, None),
            (INVALID, FileState.INVALID, "truncated"),
            (RAISES, FileState.FAILED, "bug"),
            (FINE_TOO, FileState.SUCCEEDED, None),
            (EXITS, FileState.FAILED, "bug"),
            (MEMORY, FileState.FAILED, "out_of_memory"),
            (CONFIGURATION, FileState.FAILED, "configuration"),
            (DELETED, FileState.INVALID, "deleted"),
            (TRANSIENT, FileState.CLAIMED, None),
            (CONNECTION, FileState.CLAIMED, None),
        ],
        ids=WORDS,
    )
    def test_each_file_has_its_own_end(self, done, number, state, code):
        file = done[0].item(number)
        assert (file.state, file.reason and file.reason.code) == (state, code)

    def test_the_exit_code_asks_for_another_attempt_as_some_files_may_do_better(self, done):
        assert done[1].code == 75

    def test_what_failed_says_what_was_raised_and_where(self, done):
        told = done[0].item(RAISES).reason.message
        assert re.match(r"ValueError at line \d+ of acts \(process\); its text may quote the file", told)

    def test_what_called_exit_is_told_by_its_code(self, done):
        assert "the processor ended the program with exit code 0" in done[0].item(EXITS).reason.message

    def test_what_failed_waits_again_only_where_trying_can_help(self, done):
        waits = [number for number in range(len(WORDS)) if done[0].item(number).open]
        assert waits == [RAISES, EXITS, MEMORY]

    def test_what_ran_out_of_memory_asks_for_twice_as_much(self, done):
        assert done[0].item(MEMORY).memory == 2 * ACTS.memory

    def test_a_result_names_its_objects_with_size_checksum_and_rows(self, done):
        held, _ = done
        result = result_of(held, FINE)
        assert [(output.name, output.rows) for output in result.outputs] == [
            ("data.txt", 3),
            ("more/detail.json", None),
        ]
        for output in result.outputs:
            content = object_of(held.place, output.key)
            assert (output.size, output.sha256) == (len(content), hashlib.sha256(content).hexdigest())

    def test_a_result_says_what_was_done_by_whom_and_when(self, done):
        held, _ = done
        result = result_of(held, FINE)
        assert (result.work.file.identity, result.claim, result.run_id) == (
            held.files[FINE].identity,
            held.token,
            RUN_ID,
        )
        assert (result.job_id, result.rows, result.notes["word"]) == (JOB, 3, "fine")
        assert result.notes["name"] == held.files[FINE].key.rsplit("/", 1)[-1]
        assert result.timings.keys() == {"fetch", "process", "upload"}
        assert result.started_at <= result.committed_at <= clock.to_iso(clock.now())

    def test_a_result_says_what_the_file_took_of_its_container(self, done):
        held, _ = done
        for number in (FINE, INVALID):
            result = result_of(held, number)
            seconds = result.used["vcpu_seconds"] / ACTS.vcpu
            alone = result.timings["fetch"] + result.timings["process"]  # small uploads are beside other files
            assert seconds == pytest.approx(alone, abs=0.01)
            assert result.used["gib_seconds"] == pytest.approx(seconds * ACTS.memory / 1024, abs=0.01)

    def test_outputs_lie_where_no_other_attempt_writes(self, done):
        held, _ = done
        prefix = paths.of_generation(paths.RESULTS, "orders", held.item(FINE).work)
        assert keys_under(held.place, prefix) == [
            f"{prefix}{JOB}-1/data.txt",
            f"{prefix}{JOB}-1/more/detail.json",
            f"{prefix}_result.json",
        ]

    def test_the_ledger_points_to_the_result(self, done):
        held, _ = done
        item = held.item(FINE)
        assert item.result == f"s3://{held.place.results}/{paths.result('orders', item.work)}"
        assert (item.rows, item.attempts) == (3, 1)

    def test_an_invalid_file_is_in_quarantine_with_the_reason_beside_it(self, done):
        held, _ = done
        prefix = quarantine_of(held, INVALID)
        assert object_of(held.place, f"{prefix}file") == b"invalid"
        document = json.loads(object_of(held.place, f"{prefix}_reason.json"))
        assert document["reason"] == {
            "code": "truncated",
            "message": "the file ends within line 3",
            "where": {"line": 3},
        }
        assert document["file"]["key"] == held.files[INVALID].key
        result = result_of(held, INVALID)
        assert (result.state, result.outputs, result.quarantine) == (FileState.INVALID, (), f"{prefix}file")

    def test_of_a_deleted_file_the_reason_alone_is_in_quarantine(self, done):
        held, _ = done
        prefix = quarantine_of(held, DELETED)
        assert keys_under(held.place, prefix) == [f"{prefix}_reason.json"]

    def test_what_failed_has_no_result(self, done):
        held, _ = done
        assert [result_of(held, number) for number in (RAISES, EXITS, MEMORY, TRANSIENT)] == [None] * 4

    def test_the_metrics_are_the_files_that_moved(self, done):
        held, _ = done
        assert counted(held.place) == {"Succeeded": 2, "Invalid": 2, "Failed": 4}
        moved = [number for number in range(len(WORDS)) if held.item(number).state != FileState.CLAIMED]
        assert summed(held.place, "ProcessedBytes") == sum(held.files[number].size for number in moved)
        assert summed(held.place, "ProcessedRows") == 6

    def test_nothing_is_left_on_the_disk(self, done):
        assert done[1].left == []

    def test_the_log_names_every_file_and_no_secret(self, done):
        held, ended = done
        for file in held.files:
            assert file.key in ended.output
        for secret in (held.place.server.key, "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
            assert secret not in ended.output

    def test_the_settling_reads_what_the_worker_wrote(self, done):
        held, _ = done
        settled = settling.settle(held.ctx, held.record, None)
        assert settled.counts == {"SUCCEEDED": 2, "INVALID": 2, "FAILED": 6}
        assert counted(held.place) == {"Succeeded": 2, "Invalid": 2, "Failed": 6}


def test_a_unit_of_which_only_suppliers_are_to_blame_has_succeeded(place):
    held = held_of(place, "fine", "invalid")
    assert Worker(held).run().code == 0
    assert held.now_in() == [FileState.SUCCEEDED, FileState.INVALID]


def test_a_unit_in_which_a_processor_raised_has_failed(place):
    assert Worker(held_of(place, "fine", "raise")).run().code == 70


@pytest.mark.parametrize("processor", ["nowhere:process", "acts:picky"])
def test_a_processor_that_can_not_work_is_a_matter_of_configuration(place, processor):
    held = held_of(place, "fine", feed=feed_of(processor=processor))
    ended = Worker(held).run()
    assert ended.code == 78
    assert held.now_in() == [FileState.CLAIMED]


def test_a_variable_that_is_wrong_is_told_and_no_other(place):
    ended = Worker(held_of(place, "fine"), more={"FILEBATCH_MEMORY_MIB": "plenty"}).run()
    assert ended.code == 78
    assert "expected a whole number" in ended.output
    assert place.server.key not in ended.output


def test_a_unit_of_another_contract_fails_loudly_and_touches_nothing(place):
    held = held_of(place, "fine")
    key = paths.round_units("orders", held.token, 1)
    body = object_of(place, key).replace(b'"contract":1', b'"contract":2')
    held.ctx.s3.put_object(Bucket=place.results, Key=key, Body=body)
    ended = Worker(held).run()
    assert ended.code == 78
    assert "expected contract 1, found 2; deploy image and DAGs together" in ended.output
    assert held.now_in() == [FileState.CLAIMED]
    assert held.record.fence is None


def test_a_child_does_its_own_unit_and_no_other(place):
    held = held_of(place, "fine", "fine", "fine", feed=feed_of(processor="acts:process", packing={"files": 1}))
    assert Worker(held, index=1).run().code == 0
    assert held.now_in() == [FileState.CLAIMED, FileState.SUCCEEDED, FileState.CLAIMED]
    assert held.record.fence == JOB
    assert result_of(held, 1).job_id == f"{JOB}:1"


def test_a_processor_gets_the_feeds_options(place):
    held = held_of(place, "fine", feed=feed_of(processor="acts:picky", options={"text": "as told"}))
    assert Worker(held).run().code == 0
    assert object_of(place, result_of(held).outputs[0].key) == b"as told"


def test_a_file_overwritten_before_its_turn_in_a_bucket_without_versions_is_not_taken_for_the_old_one(place):
    held = held_of(place, "invalid", bucket=place.plain_files)
    place.put(held.files[0].key, b"fine", place.plain_files)
    assert Worker(held).run().code == 0
    item = held.item()
    assert (item.state, item.reason.code) == (FileState.INVALID, "overwritten")
    prefix = quarantine_of(held, 0)
    assert keys_under(place, prefix) == [f"{prefix}_reason.json"]


@pytest.mark.parametrize(("word", "state"), [("fine old", FileState.SUCCEEDED), ("invalid", FileState.INVALID)])
def test_a_file_from_before_its_bucket_kept_versions_is_done_as_it_was(place, word, state):
    held = held_of(place, word, bucket=place.plain_files)
    held.ctx.s3.put_bucket_versioning(Bucket=place.plain_files, VersioningConfiguration={"Status": "Enabled"})
    place.put(held.files[0].key, b"raise", place.plain_files)
    assert Worker(held).run().code == 0
    assert held.item().state == state
    if state == FileState.INVALID:
        assert object_of(place, f"{quarantine_of(held, 0)}file") == b"invalid"


def test_an_overwritten_file_of_a_bucket_with_versions_is_still_its_old_version(place):
    held = held_of(place, "fine old")
    place.put(held.files[0].key, b"raise")
    assert Worker(held).run().code == 0
    assert result_of(held).work.file.version_id == held.files[0].version_id


@pytest.mark.parametrize(
    ("sealed", "code"),
    [
        ({"StorageClass": "GLACIER"}, "archived"),
        ({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}, "encrypted"),
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:eu-west-1:999999999999:key/k"}, "encrypted"),
    ],
)
def test_a_file_that_its_sender_put_out_of_reach_is_invalid_at_once_and_only_its_reason_is_in_quarantine(
    place, sealed, code
):
    held = held_of(place, "fine", **sealed)
    assert Worker(held).run().code == 0
    item = held.item()
    assert (item.state, item.reason.code, item.open is not None) == (FileState.INVALID, code, False)
    prefix = quarantine_of(held, 0)
    assert keys_under(place, prefix) == [f"{prefix}_reason.json"]
    assert json.loads(object_of(place, f"{prefix}_reason.json"))["reason"]["message"]


@pytest.mark.parametrize("name", ["../escaped.txt", "a/../../escaped.txt", "/escaped.txt", "a//escaped.txt"])
def test_a_processor_cannot_write_outside_the_results_prefix(place, name):
    held = held_of(place, f"escape {name}")
    assert Worker(held).run().code == 70
    assert held.item().reason.code == "bug"
    assert [key for key in keys_under(place, "") if "escaped" in key] == []


def test_a_bucket_that_is_not_there_is_a_matter_of_configuration(place):
    held = held_of(place, "fine")
    assert Worker(held, more={"FILEBATCH_RESULTS_BUCKET": "nowhere-at-all"}).run().code == 78
    assert held.now_in() == [FileState.CLAIMED]
