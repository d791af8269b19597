"""Which compute environment takes a job, and what none ever will."""

from hypothesis import given
from hypothesis import strategies as st

from filebatch_local.batch.capacity import (
    TOO_LARGE,
    TOO_LARGE_MESSAGE,
    Capacity,
    cancelled_by_limit,
    choose,
    never_fits,
    time_limit,
)


@given(st.lists(st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0]), max_size=40))
def test_no_more_vcpus_are_taken_than_there_are(wanted):
    taken = {"first": 0.0, "second": 0.0}
    for vcpus in wanted:
        chosen = choose(vcpus, [Capacity("first", 4, taken["first"]), Capacity("second", 2, taken["second"])])
        if chosen:
            taken[chosen] += vcpus
    assert taken["first"] <= 4
    assert taken["second"] <= 2


def test_what_is_too_large_for_all_never_fits():
    capacities = [Capacity("first", 4, taken=4), Capacity("second", 2)]
    assert not never_fits(4, capacities)
    assert never_fits(8, capacities)
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
