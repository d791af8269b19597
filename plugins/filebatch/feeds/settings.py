"""The environment's settings: the Airflow Variable `filebatch`, read at run time and never when a DAG is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from filebatch.core.errors import ConfigurationError

VARIABLE = "filebatch"


@dataclass(frozen=True)
class Settings:
    """Where an environment keeps its things. Terraform and the local AWS both write it, and no feed changes it.

    Attributes:
        region: AWS region.
        environment: the resources' common prefix, for people.
        buckets: `new_files` and `results`.
        queue_prefix: what the URL of each feed's queue begins with; it ends with the feed's name.
        topics: ARNs of `stakeholders` and `developers`.
        ledger: DynamoDB table.
        job_queue: Batch job queue.
        job_definition_prefix: what the name of each feed's job definition begins with; it ends with the feed's name.
        namespace: CloudWatch namespace of the custom metrics.
        dimensions: the deployment's own dimensions of the custom metrics, by name.
        heartbeat_seconds: seconds without a heartbeat after which a run counts as dead.
    """

    region: str
    environment: str
    buckets: Mapping[str, str]
    queue_prefix: str
    topics: Mapping[str, str]
    ledger: str
    job_queue: str
    job_definition_prefix: str
    namespace: str
    dimensions: Mapping[str, str] = field(default_factory=dict)
    heartbeat_seconds: int = 900

    @property
    def new_files(self) -> str:
        """The bucket that partners write to."""
        return self.buckets["new_files"]

    @property
    def results(self) -> str:
        """The bucket of results, quarantine and manifests."""
        return self.buckets["results"]

    @property
    def heartbeat_timeout(self) -> timedelta:
        """`heartbeat_seconds` as a span of time."""
        return timedelta(seconds=self.heartbeat_seconds)

    def queue(self, feed: str) -> str:
        """Return a feed's queue URL, whether the queue is there or not."""
        return f"{self.queue_prefix}{feed}"

    def job_definition(self, feed: str) -> str:
        """Return the name of a feed's job definition, whether that is there or not."""
        return f"{self.job_definition_prefix}{feed}"


def parse(document: Any) -> Settings:
    """Check the variable's value; ConfigurationError names what is missing or unknown."""
    if not isinstance(document, Mapping):
        raise ConfigurationError(f"Variable {VARIABLE!r}: expected a JSON object, found {type(document).__name__}")
    known = {each.name for each in fields(Settings)}
    optional = {"dimensions", "heartbeat_seconds"}
    missing, unknown = known - optional - document.keys(), document.keys() - known
    if missing or unknown:
        raise ConfigurationError(
            f"Variable {VARIABLE!r}: missing {sorted(missing)}, unknown {sorted(unknown)}; "
            "Terraform's output `settings` and the local AWS write the right one"
        )
    lost = {"new_files", "results"} - set(document["buckets"])
    if lost:
        raise ConfigurationError(f"Variable {VARIABLE!r}: buckets has nothing for {sorted(lost)}")
    if not isinstance(document.get("dimensions", {}), Mapping):
        raise ConfigurationError(f"Variable {VARIABLE!r}: dimensions: expected a JSON object of names and values")
    return Settings(**document)
