"""The states of a Batch job, and the state of an array job by its children's.

https://docs.aws.amazon.com/batch/latest/userguide/job_states.html
"""

from __future__ import annotations

from collections.abc import Mapping

SUBMITTED, PENDING, RUNNABLE, STARTING = "SUBMITTED", "PENDING", "RUNNABLE", "STARTING"
RUNNING, SUCCEEDED, FAILED = "RUNNING", "SUCCEEDED", "FAILED"
STATES = (SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING, SUCCEEDED, FAILED)
TERMINAL = frozenset({SUCCEEDED, FAILED})
BEFORE_STARTING = frozenset({SUBMITTED, PENDING, RUNNABLE})


def empty_summary() -> dict[str, int]:
    """Return a statusSummary without children."""
    return dict.fromkeys(STATES, 0)


def parent_status(summary: Mapping[str, int]) -> str:
    """Return the state of an array job from its children's: PENDING until all have ended, FAILED if one failed."""
    if sum(summary.values()) > sum(summary[state] for state in TERMINAL):
        return PENDING
    return FAILED if summary[FAILED] else SUCCEEDED


def dependencies(depends_on: list[dict[str, str]], job_id: str, index: int | None) -> list[str]:
    """Return the ids of the jobs that must succeed before this one may run.

    Args:
        depends_on: SubmitJob's dependsOn.
        job_id: the id of the job as submitted (the parent's, for a child).
        index: the child's array index; None for a job that isn't one.

    https://docs.aws.amazon.com/batch/latest/userguide/job_dependencies.html
    """
    needed: list[str] = []
    for one in depends_on:
        kind, other = one.get("type"), one.get("jobId")
        if kind == "SEQUENTIAL" and other is None:
            needed += [f"{job_id}:{index - 1}"] if index else []
        elif kind == "N_TO_N" and index is not None and other:
            needed.append(f"{other}:{index}")
        elif other:
            needed.append(other)
    return needed
