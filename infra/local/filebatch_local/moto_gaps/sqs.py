"""What moto's SQS lacks.

What moto 5.2.5 does, each shown by a test in tests/local/moto_gaps/test_sqs.py:

- `RedrivePolicy` is read back with blanks that SQS doesn't write, so that Terraform's second plan isn't empty;
- queues publish no metrics, so that alarms on them can't be tested;
- messages can't be moved (sqs_moves.py).
"""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import moto.sqs.models as moto_sqs
from moto.cloudwatch.models import MetricDatum
from moto.core.common_models import CloudWatchMetricProvider
from moto.core.utils import utcnow

from filebatch_local.base.mean import Mean
from filebatch_local.moto_gaps import sqs_moves


class _Queue(moto_sqs.Queue):  # type: ignore[misc]  # moto's classes are untyped here
    """A queue that writes JSON as SQS does, and whose messages know which queue they were sent to."""

    mean = Mean()

    def add_message(self, message: Any) -> None:
        """Take a message, which may come from the queue whose dead-letter queue this is."""
        message.came_to = getattr(message, "came_to", self.name)
        super().add_message(message)
        if not self.fifo_queue:
            self._be_mean(message)

    def _be_mean(self, message: Any) -> None:
        """Deliver a message twice, or before older ones, as standard queues may.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html
        """
        twice, order = self.mean.mishap("message twice"), self.mean.mishap("out of order")
        with self._messages_lock:
            if twice is not None:
                self._messages.append(copy.deepcopy(message))
            if order is not None:
                self._messages.remove(message)
                self._messages.insert(int(order * len(self._messages)), message)

    @property
    def attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = super().attributes
        if self.redrive_policy:
            found["RedrivePolicy"] = json.dumps(self.redrive_policy, separators=(",", ":"))
        return found


class _QueueMetrics(CloudWatchMetricProvider):  # type: ignore[misc]  # as above
    """The current metrics of each queue, as SQS publishes them.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    """

    @staticmethod
    def get_cloudwatch_metrics(account_id: str, region: str) -> list[MetricDatum]:
        """Return the metrics of all queues."""
        queues = list(moto_sqs.sqs_backends[account_id][region].queues.values())
        return [datum for queue in queues for datum in _metrics(queue)]


def _metrics(queue: Any) -> list[MetricDatum]:
    sent = [message.sent_timestamp for message in list(queue._messages)]  # moto's own list has only the visible ones
    age = max(0, int(time.time() - min(sent) / 1000)) if sent else 0
    values = [
        ("ApproximateNumberOfMessagesVisible", queue.approximate_number_of_messages, "Count"),
        ("ApproximateAgeOfOldestMessage", age, "Seconds"),
    ]
    return [
        MetricDatum(
            namespace="AWS/SQS",
            name=name,
            value=value,
            dimensions=[{"Name": "QueueName", "Value": queue.name}],
            timestamp=utcnow(),
            unit=unit,
        )
        for name, value, unit in values
    ]


def install(mean: Mean) -> None:
    """Replace moto's class; moto finds the metrics' class by itself, as it is a subclass."""
    moto_sqs.Queue, _Queue.mean = _Queue, mean
    sqs_moves.install()
