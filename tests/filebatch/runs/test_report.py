"""What a run's log says of its files: bounded, grouped, the worst first, and fit for people's eyes."""

from dataclasses import replace

import pytest

from filebatch.core.contract import Reason
from filebatch.core.records import FileState
from filebatch.runs import report
from filebatch.runs.report import Shown
from moves import arrival


def file_of(key, state=FileState.FAILED, code="bug", message="it broke", **more):
    reason = Reason(code, message) if state in report.BAD else None
    bare = arrival()
    return replace(bare, pk=f"s3://new/{key}", key=key, state=state, reason=reason, attempts=1, open=None, **more)


def said(files, shown=None):
    return list(report.bad_files(files, 3, shown or {}, "filebatch files --feed orders"))


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({}, "no files"),
        ({"SUCCEEDED": 1}, "1 succeeded of 1 file"),
        ({"SUCCEEDED": 12000, "INVALID": 1, "FAILED": 2}, "2 failed, 1 invalid, 12,000 succeeded of 12,003 files"),
        ({"ARRIVED": 3}, "3 wait again of 3 files"),
    ],
)
def test_counts_are_said_with_the_worst_first(counts, told):
    assert report.counted(counts) == told


def test_every_state_has_a_word():
    assert set(report.WORDS) == set(FileState)


def test_a_table_counts_files_by_state_and_code():
    files = [file_of(f"{n}", code="timeout") for n in range(2)]
    files += [file_of("a"), file_of("b", FileState.INVALID, "ragged"), file_of("c", FileState.SUCCEEDED)]
    assert [line.split() for line in report.table(files)] == [
        ["STATE", "WHY", "FILES"],
        ["FAILED", "timeout", "2"],
        ["FAILED", "bug", "1"],
        ["INVALID", "ragged", "1"],
        ["SUCCEEDED", "1"],
    ]
    assert len({len(line) for line in report.table(files)}) == 1


def test_each_bad_file_is_named_with_why_how_often_and_what_its_container_wrote():
    failed, invalid = file_of("orders/a.csv"), file_of("orders/b.csv", FileState.INVALID, "ragged", "line 3")
    shown = {failed.row: Shown("job:4", "https://console/x", ("one", "two"))}
    assert said([file_of("good", FileState.SUCCEEDED), invalid, failed], shown) == [
        "FAILED bug: 1 file",
        "  'orders/a.csv': it broke; attempt 1 of 3",
        "    job job:4, log https://console/x",
        "    | one",
        "    | two",
        "INVALID ragged: 1 file",
        "  'orders/b.csv': line 3; quarantined",
    ]


def test_a_file_that_is_tried_again_by_itself_says_when():
    later = replace(file_of("a"), open="file#orders", due_at="2026-01-02T03:04:05.000Z")
    assert "attempt 1 of 3, tried again from 2026-01-02T03:04:05.000Z on" in said([later])[1]


def test_of_thousands_that_fail_alike_few_are_named_and_the_rest_counted():
    files = [file_of(f"orders/{n}.csv") for n in range(10_000)]
    lines = said(files)
    assert lines[0] == "FAILED bug: 10,000 files"
    assert lines[-1] == f"  … and {10_000 - report.MAX_NAMED:,} more: filebatch files --feed orders"
    assert len(lines) == report.MAX_NAMED + 2


def test_of_thousands_that_fail_each_for_its_own_reason_few_are_named():
    files = [file_of(f"orders/{n}.csv", code=f"code-{n}") for n in range(1000)]
    lines = said(files)
    assert len(lines) == 2 * report.MAX_GROUPS + 1
    assert lines[-1].startswith(f"… and {1000 - report.MAX_GROUPS} other reasons")
    assert len(report.with_logs(files)) == report.MAX_LOGS


def test_logs_are_shown_of_each_group_before_two_of_one():
    many = [file_of(f"orders/{n}.csv") for n in range(50)]
    one = file_of("orders/wrong.csv", FileState.INVALID, "ragged")
    assert report.with_logs([*many, one]) == [many[0], one, *many[1:4]]


def test_what_strangers_wrote_is_one_line_each_and_no_link():
    hostile = file_of("a\nFAILED forged\u202e.csv", code="bug\n", message="see http://evil.example\nFAILED x")
    lines = said([hostile])
    assert len(lines) == 2
    assert "http://" not in "".join(lines)
    assert "\u202e" not in "".join(lines)
