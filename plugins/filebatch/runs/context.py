"""What a feed's run works with: feed, settings, ledger and AWS clients; and time, chance and threads.

Whatever isn't the same in every run of a program comes from here, so that tests can bring their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from filebatch.core import clock
from filebatch.core.ledger import Ledger
from filebatch.core.outcomes import Outcomes
from filebatch.core.parallel import ParallelMap, side_by_side
from filebatch.core.publishing import Publisher, usable
from filebatch.feeds.feed import Feed
from filebatch.feeds.settings import Settings


@dataclass(frozen=True)
class FeedContext:
    """A feed in an environment.

    Attributes:
        feed: the feed.
        settings: its environment.
        connect: makes the client of a service; each is made when it is first needed.
        now: tells the present moment.
        side_by_side: calls a function for many items at the same time.
        plans: the plans that were read so far, by claim; a plan never changes once it is written.
    """

    feed: Feed
    settings: Settings
    connect: Callable[[str], Any]
    now: Callable[[], datetime] = clock.now
    side_by_side: ParallelMap = side_by_side
    plans: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def ledger(self) -> Ledger:
        """The environment's ledger."""
        return Ledger(self.connect("dynamodb"), self.settings.ledger, self.side_by_side)

    @property
    def results(self) -> str:
        """The bucket of the feed's results, quarantine and manifests."""
        return self.settings.results(self.feed.name)

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
