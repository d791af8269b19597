"""What moto's CloudWatch lacks: percentiles. moto 5.2.5 answers 500 (tests/local/moto_gaps/test_cloudwatch.py)."""

from __future__ import annotations

import re
from typing import Any

from moto.cloudwatch.models import Statistics

_statistic = Statistics.get_statistics_for_type
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")


def install() -> None:
    """Let GetMetricData answer `p90`."""
    Statistics.get_statistics_for_type = _with_percentiles


def percentile(values: list[float], wanted: float) -> float:
    """Return a percentile of values, interpolated between its neighbours; `wanted` is 0 to 100."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * wanted / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _with_percentiles(statistics: Any, name: str) -> Any:
    """Return a statistic by CloudWatch's name for it.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
    """
    wanted, values = PERCENTILE.fullmatch(name), statistics.metric_single_values_list
    if wanted and values:
        return percentile([float(one) for one in values], float(wanted[1]))
    return _statistic(statistics, name)
