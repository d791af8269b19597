"""What a run tells people, as values."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filebatch.core.contract import Reason
from filebatch.core.records import FileState, RunRecord, RunState
from filebatch.runs import summary as summaries
from golden import agrees
from moves import arrival, run_record
from values import KEYS

HOSTILE = st.lists(
    st.sampled_from(
        ("http://evil.example/x", "www.evil.example", "mailto:me@evil.example", "\u202e", "\n", "\x1b", "'")
    ),
    min_size=1,
).map("".join)
RECORD: RunRecord = replace(run_record(), run_id="manual__2026-01-02", state=RunState.SETTLED, fence="job-1")
MANIFEST = "s3://results/manifests/orders/0123456789abcdef-0001/plan.json"


def file_of(key, state, **fields):
    return replace(arrival(), key=key, sk="v1", state=state, **fields)


DONE = file_of("orders/a.csv", FileState.SUCCEEDED, rows=3, result="s3://results/a/_result.json")
BAD = file_of("orders/b\n.csv", FileState.INVALID, reason=Reason("truncated", "ends within line 3"))
BROKEN = file_of("orders/c.csv", FileState.FAILED, reason=Reason("bug", "ValueError: x"))


BILL = summaries.Bill(3, 45.5, 91, spot_vcpu_seconds=15.5, spot_gib_seconds=31, usd=0.000624, estimated=False)


def summary(*files, bill=None, **record):
    return summaries.summarize(replace(RECORD, **record), files, MANIFEST, bill)


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ((DONE,), "SUCCEEDED"),
        ((DONE, BAD), "INVALID"),
        ((DONE, BAD, BROKEN), "FAILED"),
        ((BROKEN,), "FAILED"),
    ],
)
def test_a_runs_status_is_the_worst_that_is_true(files, status):
    assert summary(*files).status == status


@pytest.mark.parametrize("state", [RunState.PLANNED, RunState.CLAIMED])
def test_a_run_that_was_not_settled_says_so_whatever_its_files(state):
    assert summary(DONE, state=state).status == "UNSETTLED"


def test_what_was_settled_is_told_though_a_later_run_has_taken_the_files_again():
    told = summary(counts={"FAILED": 1, "SUCCEEDED": 2})

    assert (told.status, told.counts) == ("FAILED", {"FAILED": 1, "SUCCEEDED": 2})


def test_every_status_has_a_title():
    for status in ("SUCCEEDED", "INVALID", "FAILED", "UNSETTLED"):
        assert summaries.Summary("f", "r", status, {}, (), 0, "m", None).subject.startswith("filebatch f: ")


def test_a_summary_is_as_its_readers_know_it():
    found = summary(DONE, BAD, BROKEN, bill=BILL)
    assert agrees("summary", {"subject": found.subject, "text": found.text.splitlines(), "document": found.to_json()})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "billed   45.5 vCPU·s and 91 GiB·s of 3 containers: at most 0.0006 USD"),
        ({"usd": None}, "billed   45.5 vCPU·s and 91 GiB·s of 3 containers"),
        ({"containers": 1, "usd": None}, "billed   45.5 vCPU·s and 91 GiB·s of 1 container"),
        ({"estimated": True, "usd": None}, "billed   about 45.5 vCPU·s and 91 GiB·s of 3 containers"),
    ],
)
def test_a_run_says_what_aws_bills_for_its_containers(change, said):
    assert said in summary(DONE, bill=replace(BILL, **change)).text.splitlines()


def test_a_run_of_which_no_bill_is_known_says_nothing_of_it():
    assert "billed" not in summary(DONE).text
    assert summary(DONE).to_json()["bill"] is None


def test_the_worst_files_come_first_and_the_rest_is_counted():
    many = [replace(DONE, key=f"orders/{number}") for number in range(summaries.MAX_FILES)]
    found = summary(*many, BAD, BROKEN)
    assert [file.state for file in found.files[:3]] == [FileState.FAILED, FileState.INVALID, FileState.SUCCEEDED]
    assert (len(found.files), found.more) == (summaries.MAX_FILES, 2)
    assert found.counts == {"SUCCEEDED": summaries.MAX_FILES, "INVALID": 1, "FAILED": 1}
    assert found.text.endswith("… and 2 more")


def test_a_key_cannot_break_a_line_of_the_text():
    assert "'orders/b\\n.csv'" in summary(BAD).text


@given(KEYS | HOSTILE, st.text() | HOSTILE)
def test_no_word_of_a_stranger_links_anywhere_or_breaks_a_line_of_the_text(key, message):
    found = summary(file_of(key, FileState.FAILED, reason=Reason("bug", message)))
    *_, line = found.text.split("\n")
    assert len(found.text.split("\n")) == len(summary(BROKEN).text.split("\n"))
    assert line.isprintable()
    assert not re.search(r"://|mailto:\S|www\.|evil\.example", line)
    assert found.to_json()["files"][0]["key"] == key


def test_of_an_invalid_file_the_result_is_named_too_as_it_leads_to_quarantine():
    told = summary(replace(BAD, result="s3://results/b/_result.json")).text
    assert told.endswith("truncated: ends within line 3  s3://results/b/_result.json")


@pytest.mark.parametrize("place", ["s3://r/x\nACTION: http://evil.example/login", "http://evil.example/_result.json"])
def test_nothing_that_a_worker_wrote_links_anywhere_or_forges_a_line(place):
    text = summary(replace(DONE, result=place), fence="1 http://evil.example/job\nFORGED").text
    assert "http://" not in text
    assert not any(line.startswith(("ACTION", "FORGED")) for line in text.splitlines())


def test_an_endless_reason_is_cut():
    endless = replace(BROKEN, reason=Reason("bug", "x" * 10_000))
    assert len(summary(endless).files[0].error) <= 510


def test_subscribers_can_filter_by_feed_and_status():
    assert summary(BROKEN).attributes == {"feed": "orders", "status": "FAILED"}


@pytest.mark.parametrize(
    ("record", "job"),
    [({"fence": "f", "job_id": "j"}, "f"), ({"fence": None, "job_id": "j"}, "j"), ({"fence": None}, None)],
)
def test_the_job_is_the_one_that_worked(record, job):
    assert summary(DONE, **record).job_id == job
