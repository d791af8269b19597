"""What a date means is an interval of Airflow's timetable, of which backfills are made."""

from datetime import UTC, datetime

import pendulum
import pytest
from airflow.timetables.interval import CronDataIntervalTimetable
from hypothesis import given
from hypothesis import strategies as st

from filebatch.feeds import windows

MOMENTS = st.integers(1_325_376_000, 2_208_988_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@pytest.mark.parametrize("schedule", ["*/15 * * * *", "0 0 * * *", "@daily", "30 6 * * 1-5", "@weekly", "0 0 29 2 *"])
@given(moment=MOMENTS)
def test_a_window_is_an_interval_of_airflows_timetable(schedule, moment):
    window = windows.of_date(schedule, moment)
    timetable = CronDataIntervalTimetable(schedule, timezone="UTC")
    interval = timetable.infer_manual_data_interval(run_after=pendulum.instance(window.end))
    assert (interval.start, interval.end) == (window.start, window.end)
