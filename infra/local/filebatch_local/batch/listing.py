"""ListJobs: which jobs, and which page of them.

https://docs.aws.amazon.com/batch/latest/APIReference/API_ListJobs.html
"""

from __future__ import annotations

import base64
import bisect
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

PAGE = 100
FILTERS = ("JOB_NAME", "JOB_DEFINITION", "BEFORE_CREATED_AT", "AFTER_CREATED_AT")


class Listed(Protocol):
    """What a filter looks at."""

    job_name: str
    created_at: int
    definition_names: tuple[str, str]


JobT = TypeVar("JobT")


def matches(job: Listed, name: str, values: Sequence[str]) -> bool:
    """Tell whether a job passes one filter; its values are alternatives.

    Times are milliseconds since 1970. Names compare without regard to case and may end with `*`.
    """
    if name == "BEFORE_CREATED_AT":
        return any(job.created_at < int(value) for value in values)
    if name == "AFTER_CREATED_AT":
        return any(job.created_at > int(value) for value in values)
    found = (job.job_name,) if name == "JOB_NAME" else job.definition_names
    return any(_name_matches(value, one) for value in values for one in found)


def matches_all(job: Listed, filters: Sequence[Mapping[str, object]]) -> bool:
    """Tell whether a job passes every filter."""
    return all(matches(job, str(one["name"]), list(one["values"])) for one in filters)  # type: ignore[call-overload]


def page(
    jobs: Sequence[JobT], token: str | None, size: int | None, place: Callable[[JobT], int]
) -> tuple[Sequence[JobT], str | None]:
    """Cut one page out of a list that may change between pages.

    Args:
        jobs: all that are listed, in ascending order of their places.
        token: nextToken of the page before, None for the first.
        size: maxResults, 1 to 100.
        place: a job's place in the list; it never changes.

    Returns:
        the page, and the token of the next one or None; ValueError for a token that isn't one of ours.
    """
    start = bisect.bisect_right(jobs, _place(token), key=place) if token else 0
    found = jobs[start : start + min(size or PAGE, PAGE)]
    more = start + len(found) < len(jobs)
    return found, _token(place(found[-1])) if more else None


def _token(place: int) -> str:
    return base64.urlsafe_b64encode(str(place).encode()).decode()


def _place(token: str) -> int:
    return int(base64.urlsafe_b64decode(token))


def _name_matches(pattern: str, name: str) -> bool:
    if pattern.endswith("*"):
        return name.lower().startswith(pattern[:-1].lower())
    return name.lower() == pattern.lower()
