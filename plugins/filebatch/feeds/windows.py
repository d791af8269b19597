"""Which span of time a date means: one and the same, whoever names the date and in which zone.

Airflow gives a manual run the interval that ends at its date, and a backfill's run the one that begins there:
https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/timetable.html
Here a date means the interval of the feed's schedule that begins at it, in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """The times from `start` to before `end`; either may be open."""

    start: datetime | None = None
    end: datetime | None = None

    def takes(self, moment: datetime) -> bool:
        """Tell whether a moment lies in it."""
        return not (self.start and moment < self.start) and not (self.end and moment >= self.end)

    def __str__(self) -> str:
        """Say it for people, days as days."""
        if self.start and self.end and _are_days(self.start, self.end):
            first, last = self.start.date(), (self.end - DAY).date()
            return f"of {first} (UTC)" if first == last else f"of {first} to {last}, both included (UTC)"
        begins = [f"from {_shown(self.start)}"] if self.start else []
        ends = [f"to before {_shown(self.end)}"] if self.end else []
        return " ".join([*begins, *ends, "(UTC)"])


def of_date(schedule: str, date: datetime) -> Window:
    """Return the interval of a schedule (cron) that begins at a date, or in which the date lies."""
    from croniter import croniter

    # croniter's previous moment is an earlier one than it is asked for.
    start = croniter(schedule, date.astimezone(UTC).replace(microsecond=0) + SECOND).get_prev(datetime)
    return Window(start, croniter(schedule, start).get_next(datetime))


def as_written(date: datetime, zone: tzinfo) -> datetime:
    """Return the date that somebody wrote without a zone, which Airflow took for a midnight of its own zone.

    It means that date in UTC, as dates in keys and in params do. Any other time is what it says.
    """
    there = date.astimezone(zone)
    midnight = there.time() == time.min and date.astimezone(UTC).time() != time.min
    return there.replace(tzinfo=UTC) if midnight else date.astimezone(UTC)


def _are_days(*moments: datetime) -> bool:
    return all(moment.time() == time.min for moment in moments)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment.second else f"{moment:%Y-%m-%d %H:%M}"
