"""What moto's CloudWatch lacks."""

from datetime import UTC, datetime, timedelta

import pytest


@pytest.mark.parametrize(
    ("statistic", "value"), [("p0", 1.0), ("p50", 3.0), ("p90", 4.6), ("p100", 5.0), ("Sum", 15.0)]
)
def test_percentiles_are_answered(clients, statistic, value):
    cloudwatch, now = clients("cloudwatch"), datetime.now(UTC)
    name = f"percentile-{statistic}"
    data = [{"MetricName": name, "Value": float(one), "Timestamp": now} for one in (5, 1, 4, 2, 3)]
    cloudwatch.put_metric_data(Namespace="percentiles", MetricData=data)
    metric = {"Metric": {"Namespace": "percentiles", "MetricName": name}, "Period": 86_400, "Stat": statistic}

    (found,) = cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "a", "MetricStat": metric}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
    )["MetricDataResults"]

    assert found["Values"] == [pytest.approx(value)]


def test_percentiles_are_answered_beside_other_statistics(clients):
    cloudwatch, now = clients("cloudwatch"), datetime.now(UTC)
    data = [{"MetricName": "extended", "Value": float(one), "Timestamp": now} for one in (5, 1, 4, 2, 3)]
    cloudwatch.put_metric_data(Namespace="percentiles", MetricData=data)

    (point,) = cloudwatch.get_metric_statistics(
        Namespace="percentiles",
        MetricName="extended",
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=86_400,
        Statistics=["Maximum"],
        ExtendedStatistics=["p50", "p90"],
    )["Datapoints"]

    assert point["Maximum"] == 5.0
    assert point["ExtendedStatistics"] == {"p50": pytest.approx(3.0), "p90": pytest.approx(4.6)}
