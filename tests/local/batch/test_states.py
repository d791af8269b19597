"""The states of jobs and of arrays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filebatch_local.batch.states import STATES, TERMINAL, dependencies, empty_summary, parent_status

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
