"""The environment's settings: the Airflow Variable `filebatch`, read at run time and never when a DAG is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import cache
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # pydantic's rule, before Python 3.12

from filebatch.core.errors import ConfigurationError
from filebatch.feeds import problems

VARIABLE = "filebatch"
DEAD_LETTER_SUFFIX = "_dead"  # as infra/documents/queue.json has it
_STRICT = ConfigDict(extra="forbid")

Name = Annotated[str, Field(min_length=1)]


@with_config(_STRICT)
class Buckets(TypedDict):
    """Names of buckets."""

    new_files: Name
    results: Name


@with_config(_STRICT)
class Topics(TypedDict):
    """ARNs of SNS topics."""

    stakeholders: Name
    developers: Name


@with_config(_STRICT)
@dataclass(frozen=True)
class Settings:
    """Where an environment keeps its things. Terraform and the local AWS both write it, and no feed changes it.

    Attributes:
        region: AWS region.
        environment: the resources' common prefix, for people.
        buckets: what partners write to; results, quarantine and manifests.
        queue_prefix: what the URL of each feed's queue begins with; it ends with the feed's name.
        topics: whom runs tell what happened.
        ledger: DynamoDB table.
        job_queue: Batch job queue.
        job_definition_prefix: what the name of each feed's job definition begins with; it ends with the feed's name.
        namespace: CloudWatch namespace of the custom metrics.
        dimensions: the deployment's own dimensions of the custom metrics, by name.
        heartbeat_seconds: seconds without a heartbeat after which a run counts as dead.
    """

    region: Name
    environment: Name
    buckets: Buckets
    queue_prefix: Name
    topics: Topics
    ledger: Name
    job_queue: Name
    job_definition_prefix: Name
    namespace: Name
    dimensions: Mapping[str, str] = field(default_factory=dict)
    heartbeat_seconds: Annotated[int, Field(ge=1, strict=True)] = 900

    @property
    def new_files(self) -> str:
        """The bucket that partners write to."""
        return self.buckets["new_files"]

    @property
    def heartbeat_timeout(self) -> timedelta:
        """`heartbeat_seconds` as a span of time."""
        return timedelta(seconds=self.heartbeat_seconds)

    def queue(self, feed: str) -> str:
        """Return a feed's queue URL, whether the queue is there or not."""
        return f"{self.queue_prefix}{feed}"

    def dead_letters(self, feed: str) -> str:
        """Return the URL of a feed's dead-letter queue, whether the queue is there or not."""
        return f"{self.queue(feed)}{DEAD_LETTER_SUFFIX}"

    def results(self, feed: str) -> str:  # noqa: ARG002 - today one bucket is that of all feeds
        """Return the bucket of a feed's results, quarantine and manifests."""
        return self.buckets["results"]

    def topic(self, feed: str) -> str:
        """Return the ARN of a feed's own topic, whether that is there or not: the stakeholders' with its name."""
        return f"{self.topics['stakeholders']}-{feed}"

    def job_definition(self, feed: str) -> str:
        """Return the name of a feed's job definition, whether that is there or not."""
        return f"{self.job_definition_prefix}{feed}"


def parse(document: Any) -> Settings:
    """Check the variable's value whole; ConfigurationError names all that is missing, unknown or no such value."""
    try:
        return _adapter().validate_python(document)
    except ValidationError as error:
        told = "\n".join(f"Variable {VARIABLE!r}: {problem}" for problem in problems.of(error, KNOWN))
        raise ConfigurationError(f"{told}\n{WRITTEN_BY}") from error


KNOWN = {
    "": [each.name for each in fields(Settings)],
    "buckets": list(Buckets.__annotations__),
    "topics": list(Topics.__annotations__),
}
WRITTEN_BY = "Terraform's output `settings` and the local AWS write the right one"


@cache
def _adapter() -> TypeAdapter[Settings]:
    """Return the checker, which takes a moment to make."""
    return TypeAdapter(Settings)
