"""The worker's own metrics: Batch publishes none for succeeded and failed files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from filebatch.core.records import FileState

NAMES: Mapping[FileState, str] = {
    FileState.SUCCEEDED: "ProcessingSucceeded",
    FileState.INVALID: "ProcessingInvalid",
    FileState.FAILED: "ProcessingFailed",
}


@dataclass(frozen=True)
class Measured:
    """What one settled file adds to the metrics: its state, seconds, bytes and rows."""

    state: FileState
    seconds: float
    size: int
    rows: int | None


def data(feed: str, files: Iterable[Measured]) -> list[dict[str, Any]]:
    """Return PutMetricData's data for some files, with the dimension `Feed`; at most six, however many files.

    Values and counts: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
    """
    measured = list(files)
    counts = Counter(NAMES[file.state] for file in measured)
    found = [datum(feed, name, "Count", [1.0], [float(count)]) for name, count in sorted(counts.items())]
    if measured:
        found.append(_spread(feed, "ProcessingDuration", "Seconds", [round(file.seconds, 2) for file in measured]))
        found.append(_spread(feed, "ProcessedBytes", "Bytes", [float(file.size) for file in measured]))
        found.append(_spread(feed, "ProcessedRows", "Count", [float(file.rows or 0) for file in measured]))
    return found


def also(data: Iterable[Mapping[str, Any]], further: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Return the data, and each once more with further dimensions.

    To CloudWatch each set of dimensions is a metric of its own, and alarms and dashboard watch `Feed` alone:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Dimension
    """
    found = list(data)
    dimensions = [{"Name": name, "Value": value} for name, value in sorted(further.items())]
    twins = [{**datum, "Dimensions": [*datum["Dimensions"], *dimensions]} for datum in found]
    return [*found, *twins] if further else found


def _spread(feed: str, name: str, unit: str, values: list[float]) -> dict[str, Any]:
    counted = Counter(values)
    return datum(feed, name, unit, list(counted), [float(count) for count in counted.values()])


def datum(feed: str, name: str, unit: str, values: list[float], counts: list[float] | None = None) -> dict[str, Any]:
    """Return one MetricDatum of a feed."""
    dimensions = [{"Name": "Feed", "Value": feed}]
    found = {"MetricName": name, "Dimensions": dimensions, "Unit": unit, "Values": values}
    return found if counts is None else {**found, "Counts": counts}
