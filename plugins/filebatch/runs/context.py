"""What is at hand when a feed's run claims, submits and settles: feed, settings, ledger and AWS clients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from filebatch.core.ledger import Ledger
from filebatch.core.outcomes import Outcomes
from filebatch.core.publishing import Publisher, usable
from filebatch.feeds.feed import Feed
from filebatch.feeds.settings import Settings


@dataclass(frozen=True)
class FeedContext:
    """A feed in an environment. `connect` makes the client of a service; each is made when it is first needed."""

    feed: Feed
    settings: Settings
    connect: Callable[[str], Any]

    @cached_property
    def ledger(self) -> Ledger:
        """The environment's ledger."""
        return Ledger(self.connect("dynamodb"), self.settings.ledger)

    @cached_property
    def s3(self) -> Any:
        """S3 client."""
        return self.connect("s3")

    @cached_property
    def sqs(self) -> Any:
        """SQS client."""
        return self.connect("sqs")

    @cached_property
    def batch(self) -> Any:
        """Batch client."""
        return self.connect("batch")

    @cached_property
    def sns(self) -> Any:
        """SNS client."""
        return self.connect("sns")

    @cached_property
    def cloudwatch(self) -> Any:
        """CloudWatch client."""
        return self.connect("cloudwatch")

    def outcomes(self) -> Outcomes:
        """Return a new buffer for the states and metrics of settled files."""
        publisher = Publisher(self.cloudwatch, self.settings.namespace, usable(self.settings.dimensions))
        return Outcomes(self.ledger, publisher, self.feed.name)
