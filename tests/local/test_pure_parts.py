"""States, capacity, listing, images and documents: values in, values out."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filebatch_local.capacity import (
    TOO_LARGE,
    TOO_LARGE_MESSAGE,
    Room,
    cancelled_by_limit,
    never_fits,
    place,
    time_limit,
)
from filebatch_local.documents import render
from filebatch_local.images import ImageEnv, batch_variables, images_from_json, images_to_json, mounts, on_this_disk
from filebatch_local.job_listing import matches_all, page
from filebatch_local.job_states import STATES, TERMINAL, dependencies, empty_summary, parent_status

SUMMARIES = st.fixed_dictionaries({state: st.integers(0, 5) for state in STATES})


@given(SUMMARIES)
def test_a_parent_ends_when_all_its_children_have_and_fails_if_one_did(summary):
    going_on = any(count for state, count in summary.items() if state not in TERMINAL)
    expected = "PENDING" if going_on else "FAILED" if summary["FAILED"] else "SUCCEEDED"
    assert parent_status(summary) == expected


def test_a_summary_names_every_state():
    assert set(empty_summary()) == set(STATES)


@pytest.mark.parametrize(
    ("depends_on", "index", "expected"),
    [
        ([{"jobId": "a"}, {"jobId": "b"}], None, ["a", "b"]),
        ([{"type": "SEQUENTIAL"}], 0, []),
        ([{"type": "SEQUENTIAL"}], 3, ["me:2"]),
        ([{"type": "N_TO_N", "jobId": "a"}], 3, ["a:3"]),
        ([{"jobId": "a"}], 3, ["a"]),
    ],
)
def test_what_a_job_waits_for(depends_on, index, expected):
    assert dependencies(depends_on, "me", index) == expected


@given(st.lists(st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0]), max_size=40))
def test_no_more_vcpus_are_taken_than_there_are(wanted):
    taken = {"first": 0.0, "second": 0.0}
    for vcpus in wanted:
        chosen = place(vcpus, [Room("first", 4, taken["first"]), Room("second", 2, taken["second"])])
        if chosen:
            taken[chosen] += vcpus
    assert taken["first"] <= 4
    assert taken["second"] <= 2


def test_what_is_too_large_for_all_never_fits():
    rooms = [Room("first", 4, taken=4), Room("second", 2)]
    assert not never_fits(4, rooms)
    assert never_fits(8, rooms)
    assert not never_fits(8, [])


def test_a_time_limit_is_that_of_the_reason():
    limits = [
        {"reason": TOO_LARGE, "state": "RUNNABLE", "maxTimeSeconds": 900, "action": "CANCEL"},
        {
            "reason": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
            "state": "RUNNABLE",
            "maxTimeSeconds": 600,
            "action": "CANCEL",
        },
    ]
    assert time_limit(TOO_LARGE_MESSAGE, limits) == 900
    assert time_limit(None, limits) is None
    assert cancelled_by_limit(TOO_LARGE_MESSAGE) == f"Canceled by JobStateTimeLimit action due to reason: {TOO_LARGE}"


@given(st.lists(st.integers(0, 10_000), unique=True).map(sorted), st.none() | st.integers(1, 100))
def test_pages_are_the_list(places, size):
    found, token = page(places, None, size, lambda one: one)
    while token:
        more, token = page(places, token, size, lambda one: one)
        assert 0 < len(more) <= 100
        found = [*found, *more]
    assert list(found) == places


def test_a_page_goes_on_where_the_last_ended_when_jobs_have_left_the_list():
    first, token = page([1, 2, 3, 4, 5], None, 2, lambda one: one)
    assert first == [1, 2]
    assert page([2, 4, 5], token, 2, lambda one: one) == ([4, 5], None)


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("JOB_NAME", ["feed-1-r0"], True),
        ("JOB_NAME", ["FEED-1*"], True),
        ("JOB_NAME", ["feed-1"], False),
        ("JOB_NAME", ["x", "feed*"], True),
        ("JOB_DEFINITION", ["weather"], True),
        ("JOB_DEFINITION", ["weather:3"], True),
        ("JOB_DEFINITION", ["weather:2"], False),
        ("AFTER_CREATED_AT", ["999"], True),
        ("AFTER_CREATED_AT", ["1000"], False),
        ("BEFORE_CREATED_AT", ["1001"], True),
    ],
)
def test_filters(name, values, found):
    job = SimpleNamespace(job_name="feed-1-r0", created_at=1000, definition_names=("weather", "weather:3"))
    assert matches_all(job, [{"name": name, "values": values}]) is found


def test_only_a_child_has_an_index():
    assert "AWS_BATCH_JOB_ARRAY_INDEX" not in batch_variables("j", None, 1, "q", "c")
    assert batch_variables("j:0", 0, 1, "q", "c")["AWS_BATCH_JOB_ARRAY_INDEX"] == "0"


def test_a_mount_points_path_is_a_folder_of_the_jobs_own():
    mounted = mounts([{"containerPath": "/scratch", "sourceVolume": "disk"}], Path("/job"))
    assert on_this_disk("/scratch", mounted) == "/job/mounts/disk"
    assert on_this_disk("/scratch/a b", mounted) == "/job/mounts/disk/a b"
    assert on_this_disk("/scratches", mounted) == "/scratches"


def test_images_survive_json():
    images = {"a:1": ImageEnv(("/bin", "/usr/bin"), {"X": "1"}), "b": ImageEnv(("/bin",))}
    assert images_from_json(images_to_json(images)) == images


def test_a_documents_values_are_escaped(tmp_path):
    (tmp_path / "one.json").write_text('{"name": "${name}", "size": ${size}}')
    assert render(tmp_path, "one", name='a"b\\', size=3) == {"name": 'a"b\\', "size": 3}
    with pytest.raises(KeyError):
        render(tmp_path, "one", name="a")
