"""What a feed needs of the environment, and how it is said that it isn't there.

A feed is one file; its queue and its job definition come from it, too, but not before the infrastructure is applied.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from filebatch.core import aws_errors
from filebatch.core.errors import ConfigurationError
from filebatch.feeds.settings import Settings

# A role may use the queues that were there when its policy was rendered: of another, AWS says that access is denied.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html#API_ReceiveMessage_Errors
NO_QUEUE = frozenset(
    {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "AccessDenied", "AccessDeniedException"}
)
# "An identifier that's not valid", or "an action or resource on behalf of a user that doesn't have permissions":
# https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html#API_SubmitJob_Errors
REFUSED_JOB = frozenset({"ClientException", "AccessDenied", "AccessDeniedException"})


@contextmanager
def queue_needed(settings: Settings, feed: str) -> Iterator[None]:
    """Raise ConfigurationError where a message can't be received as there is no such queue for us."""
    try:
        yield
    except ClientError as error:
        if error.operation_name != "ReceiveMessage" or aws_errors.code(error) not in NO_QUEUE:
            raise
        raise ConfigurationError(
            _missing(feed, f"queue {settings.queue(feed)}", f"or Airflow may not read it ({aws_errors.code(error)})")
        ) from error


def check_job_definition(batch: Any, settings: Settings, feed: str) -> None:
    """Raise ConfigurationError where a feed's job can't be submitted, as there is no active job definition."""
    name = settings.job_definition(feed)
    if not batch.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]:
        raise ConfigurationError(_missing(feed, f"job definition {name}", "or isn't ACTIVE"))


def is_refused(error: ClientError) -> bool:
    """Tell whether Batch refused a job, so that there is none, and trying at once again can't help."""
    return aws_errors.code(error) in REFUSED_JOB


def _missing(feed: str, what: str, otherwise: str) -> str:
    return (
        f"feed {feed!r}: its {what} isn't there, {otherwise}. It comes from the feed's file: run `terraform apply` in "
        "infra/ with it; a local AWS makes it within seconds unless the file is broken, which its log says"
    )
