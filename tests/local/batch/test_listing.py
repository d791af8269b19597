"""Filters and pages of ListJobs."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filebatch_local.batch.listing import matches_all, page


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
