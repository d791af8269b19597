"""What AWS Batch refuses. Each function raises moto's ClientException, which answers as Batch's does.

https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from moto.batch.exceptions import ClientException

from filebatch_local.batch.listing import FILTERS
from filebatch_local.batch.states import STATES
from filebatch_local.moto_gaps.refusals import refusal

PAYLOAD = 30 * 1024
ARRAY = range(2, 10_000 + 1)
ATTEMPTS = range(1, 10 + 1)
EXIT_RULES = 5
TIMEOUT = 60
DESCRIBED_JOBS = 100
DEPENDENCIES = 20
TIME_LIMIT = range(600, 86_400 + 1)
DECAY = range(604_800 + 1)
ACTIVE_SHARES = 500
SHARE = re.compile(r"[A-Za-z0-9]{1,255}")
JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


def check_payload(body: str | bytes) -> None:
    """Refuse a SubmitJob request larger than 30 KiB."""
    size = len(body.encode() if isinstance(body, str) else body)
    if size > PAYLOAD:
        raise ClientException(f"Job payload size must be at most {PAYLOAD} bytes, is {size}")


def check_submission(name: str, array_size: int | None, depends_on: Sequence[Mapping[str, str]]) -> None:
    """Refuse a bad name, array size or number of dependencies."""
    if not JOB_NAME.fullmatch(name or ""):
        raise ClientException(f"Job name should match valid pattern: {JOB_NAME.pattern}")
    if array_size is not None and array_size not in ARRAY:
        raise ClientException(f"Array size must be between {ARRAY.start} and {ARRAY.stop - 1}, is {array_size}")
    if len(depends_on) > DEPENDENCIES:
        raise ClientException(f"A job may depend on at most {DEPENDENCIES} jobs, found {len(depends_on)}")


def check_size(definition: Any, overrides: Mapping[str, Any]) -> None:
    """Refuse a job whose container, with what the job asks for in place of its definition, nothing offers."""
    requirements = [
        *definition.container_properties["resourceRequirements"],
        *overrides.get("resourceRequirements", []),
    ]
    container = {"resourceRequirements": requirements}  # the last of a type counts
    job = {"platformCapabilities": definition.platform_capabilities, "containerProperties": container}
    if found := refusal("batch", "job", job):
        raise ClientException(found.rule)


def check_share(share: str | None, *, fair: bool, active: Collection[str]) -> None:
    """Refuse a malformed share identifier, any in a FIFO queue, and one more than may be active.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html
    """
    if share and not fair:
        raise ClientException(
            "Job with shareIdentifier or schedulingPriority can only be submitted to job queue with fair share "
            "scheduling policy"
        )
    if fair and not share:
        raise ClientException("shareIdentifier must be specified for a job queue with a fair-share scheduling policy")
    if share and not SHARE.fullmatch(share):
        raise ClientException(f"shareIdentifier must have up to 255 letters and digits, is {share}")
    if share and share not in active and len(active) >= ACTIVE_SHARES:
        raise ClientException(f"A job queue can have at most {ACTIVE_SHARES} active share identifiers")


def check_policy(policy: Mapping[str, Any]) -> None:
    """Refuse a fair-share policy out of bounds, and a reservation of vCPUs, which the local AWS doesn't have.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_FairsharePolicy.html
    """
    if (policy.get("shareDecaySeconds") or 0) not in DECAY:
        raise ClientException(f"shareDecaySeconds must be between 0 and {DECAY.stop - 1}")
    if policy.get("computeReservation"):
        raise ClientException("The local AWS reserves no vCPUs for shares: computeReservation must be 0")


def check_retry_strategy(strategy: Mapping[str, Any] | None) -> None:
    """Refuse too many attempts or exit rules, or a malformed rule."""
    if not strategy:
        return
    if (attempts := strategy.get("attempts")) is not None and attempts not in ATTEMPTS:
        raise ClientException(f"Retry attempts must be between {ATTEMPTS.start} and {ATTEMPTS.stop - 1}, is {attempts}")
    rules = strategy.get("evaluateOnExit") or []
    if len(rules) > EXIT_RULES:
        raise ClientException(f"evaluateOnExit must have at most {EXIT_RULES} conditions, has {len(rules)}")
    for rule in rules:
        _check_rule(rule)


def _check_rule(rule: Mapping[str, str]) -> None:
    if rule.get("action", "").upper() not in {"RETRY", "EXIT"}:
        raise ClientException(f"evaluateOnExit action must be RETRY or EXIT, is {rule.get('action')}")
    if not re.fullmatch(r"\d*\*?", rule.get("onExitCode") or ""):
        raise ClientException(f"onExitCode may contain only numbers and a trailing *, is {rule['onExitCode']}")


def check_timeout(timeout: Mapping[str, int] | None) -> None:
    """Refuse a timeout under a minute."""
    if timeout and timeout.get("attemptDurationSeconds", TIMEOUT) < TIMEOUT:
        raise ClientException(
            f"attemptDurationSeconds must be at least {TIMEOUT}, is {timeout['attemptDurationSeconds']}"
        )


def check_describe(jobs: Sequence[str]) -> None:
    """Refuse more ids than one DescribeJobs takes."""
    if len(jobs) > DESCRIBED_JOBS:
        raise ClientException(f"jobs must have at most {DESCRIBED_JOBS} ids, has {len(jobs)}")


def check_listing(status: str | None, filters: Sequence[Mapping[str, Any]] | None, scopes: int) -> None:
    """Refuse an unknown state or filter, more than one filter, or not exactly one of queue and array."""
    if scopes != 1:
        raise ClientException("Exactly one of jobQueue, arrayJobId and multiNodeJobId must be given")
    if status is not None and status not in STATES:
        raise ClientException(f"Job status is not one of {' | '.join(STATES)}")
    if filters and len(filters) > 1:
        raise ClientException(f"At most one filter can be given, found {len(filters)}")
    for one in filters or []:
        if one.get("name") not in FILTERS:
            raise ClientException(f"Filter name is not one of {' | '.join(FILTERS)}")


def check_time_limits(limits: Sequence[Mapping[str, Any]] | None) -> None:
    """Refuse a queue's jobStateTimeLimitActions out of bounds."""
    for one in limits or []:
        if one.get("state") != "RUNNABLE" or one.get("action") != "CANCEL":
            raise ClientException("jobStateTimeLimitActions can only CANCEL jobs in state RUNNABLE")
        if one.get("maxTimeSeconds") not in TIME_LIMIT:
            bounds = f"between {TIME_LIMIT.start} and {TIME_LIMIT.stop - 1}"
            raise ClientException(f"maxTimeSeconds must be {bounds}, is {one.get('maxTimeSeconds')}")
