"""What moto's CloudWatch lacks: percentiles. moto 5.2.5 answers 500, or leaves them out.

tests/local/moto_gaps/test_cloudwatch.py shows it.
"""

from __future__ import annotations

import re
from typing import Any

from moto.cloudwatch.models import Statistics
from moto.cloudwatch.responses import CloudWatchResponse

_statistic = Statistics.get_statistics_for_type
_get_statistics = CloudWatchResponse.get_metric_statistics
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")


def install() -> None:
    """Let GetMetricData and GetMetricStatistics answer `p90`."""
    Statistics.get_statistics_for_type = _with_percentiles
    CloudWatchResponse.get_metric_statistics = _with_extended


def percentile(values: list[float], wanted: float) -> float:
    """Return a percentile of values, interpolated between its neighbours; `wanted` is 0 to 100."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * wanted / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _with_extended(response: Any) -> Any:
    """Add the percentiles that ExtendedStatistics asks for to each datapoint."""
    answer = _get_statistics(response)
    for point in answer.result["Datapoints"]:
        asked = response._get_param("ExtendedStatistics") or []
        point.extended_statistics = {name: _with_percentiles(point, name) for name in asked}
    return answer


def _with_percentiles(statistics: Any, name: str) -> Any:
    """Return a statistic by CloudWatch's name for it.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
    """
    wanted, values = PERCENTILE.fullmatch(name), statistics.metric_single_values_list
    if wanted and values:
        return percentile([float(one) for one in values], float(wanted[1]))
    return _statistic(statistics, name)
