"""Sending metrics to CloudWatch without giving it a say: whatever fails is logged and counted, never raised.

What becomes of a file is in the ledger and the results; a metric only tells of it.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.config import Config

from filebatch.core import metrics

# Also in infra/documents/metrics-not-published.json: CloudWatch Logs counts the lines with these words, which needs no
# permission to publish.
NOT_PUBLISHED = "metrics not published"

# A CloudWatch that doesn't answer may cost seconds, not a job's timeout. Afterwards it is left alone for a while.
SHORT_TIMEOUTS = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})
PAUSE_SECONDS = 60.0

# Of at most 30 dimensions one is `Feed`. Terraform holds a deployment's to the same rule.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
MAX_FURTHER = 29
_DIMENSION = re.compile(r"[A-Za-z0-9_./#-]{1,255}")

log = logging.getLogger(__name__)


@dataclass
class Publisher:
    """Publishes metrics of one namespace.

    Attributes:
        cloudwatch: the client; SHORT_TIMEOUTS is its configuration.
        namespace: CloudWatch namespace.
        further: the deployment's own dimensions; what has them is published beside what has `Feed` alone.
        lost: how many data could not be published so far.
    """

    cloudwatch: Any
    namespace: str
    further: Mapping[str, str] = field(default_factory=dict)
    lost: int = 0
    _resume_at: float = 0.0

    def publish(self, data: Sequence[Any]) -> None:
        """Publish PutMetricData's MetricData; log what could not be published."""
        if data:
            self._publish(metrics.also(data, self.further))

    def _publish(self, data: Sequence[Any]) -> None:
        if time.monotonic() < self._resume_at:
            self._lose(data, "CloudWatch failed less than a minute ago", None)
            return
        try:
            self.cloudwatch.put_metric_data(Namespace=self.namespace, MetricData=data)
        except Exception as error:  # noqa: BLE001 - whatever it is, files go on; it is logged, counted and alarmed
            self._resume_at = time.monotonic() + PAUSE_SECONDS
            self._lose(data, f"{type(error).__name__}: {error}", error)

    def _lose(self, data: Sequence[Any], why: str, error: Exception | None) -> None:
        self.lost += len(data)
        names = sorted({datum["MetricName"] for datum in data})
        log.error(
            "%s: %s to namespace %s (%d lost so far): %s; files are not affected, see the runbook",
            NOT_PUBLISHED,
            ", ".join(names),
            self.namespace,
            self.lost,
            why,
            exc_info=error,
        )


def usable(further: Mapping[str, str]) -> dict[str, str]:
    """Return the dimensions that CloudWatch takes beside `Feed`; the others are left out, and that is logged.

    With a wrong one CloudWatch would refuse all of a request, and alarms would see nothing.
    """
    taken = {
        name: value
        for name, value in sorted(further.items())
        if name != "Feed" and _DIMENSION.fullmatch(name) and isinstance(value, str) and _DIMENSION.fullmatch(value)
    }
    taken = dict(list(taken.items())[:MAX_FURTHER])
    if left := sorted(further.keys() - taken.keys()):
        log.error(
            "%s with dimensions %s: expected at most %d, not Feed, name and value of letters, digits and _./#-",
            NOT_PUBLISHED,
            left,
            MAX_FURTHER,
        )
    return taken
