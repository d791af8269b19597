"""What CloudWatch takes of metric data: each datum is checked, and requests are cut to size."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from filebatch.core.errors import FilebatchError

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
MAX_DATA = 1000
MAX_BYTES = 1_000_000
MAX_DIMENSIONS = 30
MAX_VALUE = 2.0**360
MAX_VALUES = 150
_SIZES = tuple(f"{size}{of}" for of in ("bytes", "bits") for size in ("Kilo", "Mega", "Giga", "Tera"))
_AMOUNTS = ("Bytes", "Bits", "Count", *_SIZES)
UNITS = frozenset(
    ("Seconds", "Milliseconds", "Microseconds", "Percent", "None", *_AMOUNTS, *(f"{each}/Second" for each in _AMOUNTS))
)


class MetricError(FilebatchError):
    """A datum that CloudWatch would refuse: it names metric, expected and found."""


def check(datum: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a MetricDatum as it is, if CloudWatch takes it; MetricError otherwise."""
    name = datum.get("MetricName") or ""
    if not 1 <= len(name) <= 255:
        raise MetricError(f"MetricName: expected 1 to 255 characters, found {name!r}")
    _check_dimensions(name, datum.get("Dimensions", []))
    _check_numbers(name, datum)
    unit = datum.get("Unit", "None")
    if unit not in UNITS:
        raise MetricError(f"{name}: expected a unit of CloudWatch ({', '.join(sorted(UNITS))}), found {unit!r}")
    return datum


def _check_dimensions(name: str, dimensions: Sequence[Mapping[str, Any]]) -> None:
    if len(dimensions) > MAX_DIMENSIONS:
        raise MetricError(f"{name}: expected at most {MAX_DIMENSIONS} dimensions, found {len(dimensions)}")
    for dimension in dimensions:
        if not dimension.get("Name") or not dimension.get("Value"):
            raise MetricError(f"{name}: expected dimensions with name and value, found {dict(dimension)!r}")


def _check_numbers(name: str, datum: Mapping[str, Any]) -> None:
    values, counts = datum.get("Values", []), datum.get("Counts")
    statistics = datum.get("StatisticValues", {})
    single = [datum["Value"]] if "Value" in datum else []
    if not (single or values or statistics):
        raise MetricError(f"{name}: expected Value, Values or StatisticValues, found none")
    if len(values) > MAX_VALUES:
        raise MetricError(f"{name}: expected at most {MAX_VALUES} values, found {len(values)}")
    if counts is not None and len(counts) != len(values):
        raise MetricError(f"{name}: expected as many Counts as Values, found {len(counts)} and {len(values)}")
    for number in (*single, *values, *(counts or []), *statistics.values()):
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not abs(number) <= MAX_VALUE:
            raise MetricError(f"{name}: expected finite numbers up to 2^360, found {number!r}")


def batches(data: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Cut data into requests of at most 1,000 metrics and 1 MB; every datum is checked first."""
    batch: list[Mapping[str, Any]] = []
    filled = 0
    for datum in [check(datum) for datum in data]:
        size = len(json.dumps(datum, default=str))
        if batch and (len(batch) == MAX_DATA or filled + size > MAX_BYTES):
            yield batch
            batch, filled = [], 0
        batch.append(datum)
        filled += size
    if batch:
        yield batch
