"""A date means the interval of the feed's schedule that begins at it, in UTC, as Airflow's timetable has it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filebatch.feeds import windows
from filebatch.feeds.windows import Window

SCHEDULES = ["*/15 * * * *", "0 * * * *", "0 0 * * *", "@daily", "30 6 * * 1-5", "0 0 1 * *", "@weekly", "0 0 29 2 *"]
MOMENTS = st.integers(1_325_376_000, 2_208_988_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(st.sampled_from(SCHEDULES), MOMENTS)
def test_any_moment_lies_in_its_window_and_the_windows_start_means_the_same_window(schedule, moment):
    window = windows.of_date(schedule, moment)
    assert window.start is not None
    assert window.takes(moment)
    assert windows.of_date(schedule, window.start) == window


def test_a_time_within_a_day_is_that_day():
    assert windows.of_date("0 0 * * *", datetime(2026, 1, 2, 15, 30, 1, 5, tzinfo=UTC)) == Window(
        datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("window", "told"),
    [
        (Window(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)), "of 2026-01-02 (UTC)"),
        (
            Window(datetime(2026, 1, 2, 3, tzinfo=UTC), datetime(2026, 1, 2, 3, 15, tzinfo=UTC)),
            "from 2026-01-02 03:00 to before 2026-01-02 03:15 (UTC)",
        ),
        (Window(None, datetime(2026, 1, 2, tzinfo=UTC)), "to before 2026-01-02 00:00 (UTC)"),
        (Window(datetime(2026, 1, 2, 0, 0, 7, tzinfo=UTC)), "from 2026-01-02 00:00:07 (UTC)"),
    ],
)
def test_a_window_is_said_in_days_or_times(window, told):
    assert str(window) == told


def test_an_open_window_takes_everything():
    assert Window().takes(datetime.max.replace(tzinfo=UTC) - timedelta(days=1))
