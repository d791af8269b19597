from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filebatch.core import clock

MOMENTS = st.datetimes(timezones=st.timezones() | st.just(UTC)).filter(lambda moment: 2 < moment.year < 9998)


@given(MOMENTS, MOMENTS)
def test_written_times_sort_as_times_do(one, other):
    # As far as they differ in milliseconds, which is how far they are written.
    if abs(one - other) >= timedelta(milliseconds=1):
        assert (clock.to_iso(one) < clock.to_iso(other)) == (one < other)


@given(MOMENTS)
def test_a_written_time_reads_back_to_the_millisecond(moment):
    read = clock.parse_utc(clock.to_iso(moment))
    assert timedelta(0) <= moment - read < timedelta(milliseconds=1)
    assert clock.to_iso(read) == clock.to_iso(moment)


@given(MOMENTS)
def test_a_written_time_has_one_width_and_says_utc(moment):
    assert len(clock.to_iso(moment)) == len("2026-01-02T03:04:05.678Z")
    assert clock.to_iso(moment).endswith("Z")


@pytest.mark.parametrize(
    "written", ["2026-01-02", "2026-01-02T00:00:00", "2026-01-02T00:00:00Z", "2026-01-02T02:00:00+02:00"]
)
def test_a_time_without_a_zone_is_utc(written):
    assert clock.to_iso(clock.parse_utc(written)) == "2026-01-02T00:00:00.000Z"


def test_a_time_of_another_zone_is_written_in_utc():
    assert clock.to_iso(clock.parse_utc("2026-01-02T03:00:00").replace(tzinfo=timezone(timedelta(hours=2)))) == (
        "2026-01-02T01:00:00.000Z"
    )


def test_now_knows_its_zone():
    assert clock.now().utcoffset() == timedelta(0)
