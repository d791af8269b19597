"""The doorbell reports the feed's health, and whether it turns itself."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from doorbells import FEED, becomes, doorbell_of, running
from filebatch.core import clock
from filebatch.triggers import health_reporter, listener, watch


def test_the_feeds_health_is_published_although_it_has_no_run(here, monkeypatch):
    monkeypatch.setattr(health_reporter, "REPORT_EVERY", 0.2)

    async def scenario():
        async with running(doorbell_of()):
            metrics = here.connect("cloudwatch").list_metrics
            await becomes(lambda: metrics(Namespace=here.name)["Metrics"])

    asyncio.run(scenario())
    found = here.connect("cloudwatch").list_metrics(Namespace=here.name)["Metrics"]
    assert {"FilesWaiting", "OldestWaitingAge", "DoorbellTurns"} <= {metric["MetricName"] for metric in found}


def turns(place) -> list[float]:
    """Return what was published of the doorbell's turns in the last minutes: the sum and the least value."""
    names = {
        "Namespace": place.name,
        "MetricName": "DoorbellTurns",
        "Dimensions": [{"Name": "Feed", "Value": FEED.name}],
    }
    span = {
        "StartTime": clock.now() - timedelta(minutes=5),
        "EndTime": clock.now() + timedelta(minutes=1),
        "Period": 900,
    }
    points = place.connect("cloudwatch").get_metric_statistics(**names, **span, Statistics=["Sum"])["Datapoints"]
    return [point["Sum"] for point in points]


def test_a_doorbell_that_turns_says_so_even_where_its_health_cannot_be_read(here, monkeypatch):
    monkeypatch.setattr(health_reporter, "REPORT_EVERY", 0.2)

    def fails(ctx):
        raise OSError("Batch is out of reach")

    monkeypatch.setattr(health_reporter.health, "of_feed", fails)

    async def scenario():
        async with running(doorbell_of()):
            await becomes(lambda: sum(turns(here)) > 0)

    asyncio.run(scenario())


@pytest.mark.parametrize(("activity", "method"), [(listener.Listener, "_take"), (watch.Watch, "_look")])
def test_a_doorbell_of_which_one_part_stands_still_turns_no_more(here, monkeypatch, activity, method):
    monkeypatch.setattr(health_reporter, "REPORT_EVERY", 0.2)

    async def hangs(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(activity, method, hangs)

    async def scenario():
        async with running(doorbell_of()):
            await becomes(lambda: turns(here))
            await asyncio.sleep(1.5)  # the other part turns meanwhile

    asyncio.run(scenario())
    assert turns(here) == [0.0]
