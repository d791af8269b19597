"""What the container is told through its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from filebatch.core.errors import ConfigurationError


@dataclass(frozen=True)
class Settings:
    """Where the worker works, and as whom.

    Attributes:
        feed: whose job definition this is, and the dimension `Feed` of its metrics.
        ledger: name of the DynamoDB table.
        results_bucket: bucket of results, quarantine and manifests.
        namespace: CloudWatch namespace of the custom metrics.
        dimensions: their dimensions beside `Feed`, by name, as they were written.
        round: key of the round's units in the results bucket.
        memory: MiB that the container may use.
        vcpu: vCPUs that it has, None where nobody says so.
        job_id: Batch's id of this job or child.
        parent_id: Batch's id of the job that was submitted: the array's, or the same.
        index: which unit of the round is this child's.
        attempt: which of Batch's attempts this is, from 1.
    """

    feed: str
    ledger: str
    results_bucket: str
    namespace: str
    dimensions: Mapping[str, str]
    round: str
    memory: int
    vcpu: float | None
    job_id: str
    parent_id: str
    index: int
    attempt: int

    @property
    def attempt_name(self) -> str:
        """A path element that no other attempt of any job has."""
        return f"{self.job_id.replace(':', '-')}-{self.attempt}"


@dataclass(frozen=True)
class Bounds:
    """What a processor may use of its container: MiB of memory and vCPUs, None where nobody says so."""

    memory: float | None
    vcpu: float | None


def read_bounds(environment: Mapping[str, str]) -> Bounds:
    """Read the bounds alone, for a processor that is called without the worker. Raises ConfigurationError."""
    return Bounds(_number(environment, "FILEBATCH_MEMORY_MIB"), _number(environment, "FILEBATCH_VCPU"))


def _number(environment: Mapping[str, str], name: str) -> float | None:
    written = environment.get(name)
    try:
        return float(written) if written else None
    except ValueError as error:
        raise ConfigurationError(f"environment: {name}: expected a number; {error}") from error


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings; ConfigurationError names the variable that is missing or no number.

    The AWS_BATCH_* variables: https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
    """
    try:
        job_id = environment["AWS_BATCH_JOB_ID"]
        return Settings(
            feed=environment["FILEBATCH_FEED"],
            ledger=environment["FILEBATCH_LEDGER"],
            results_bucket=environment["FILEBATCH_RESULTS_BUCKET"],
            namespace=environment["FILEBATCH_NAMESPACE"],
            dimensions=_pairs(environment.get("FILEBATCH_DIMENSIONS", "")),
            round=environment["FILEBATCH_ROUND"],
            memory=int(environment["FILEBATCH_MEMORY_MIB"]),
            vcpu=_number(environment, "FILEBATCH_VCPU"),
            job_id=job_id,
            parent_id=job_id.split(":", 1)[0],
            index=int(environment.get("AWS_BATCH_JOB_ARRAY_INDEX", "0")),
            attempt=int(environment.get("AWS_BATCH_JOB_ATTEMPT", "1")),
        )
    except KeyError as error:
        raise ConfigurationError(f"environment: expected {error.args[0]}") from error
    except ValueError as error:
        raise ConfigurationError(f"environment: expected a whole number; {error}") from error


def _pairs(written: str) -> dict[str, str]:
    """Read NAME=VALUE,NAME=VALUE. What is wrong in it is left to whoever publishes: it is no reason to do no work."""
    parts = (part.partition("=") for part in written.split(",") if part.strip())
    return {name.strip(): value.strip() for name, _, value in parts}
