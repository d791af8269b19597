"""The price table, and what containers cost by it."""

import re

import pytest

from filebatch.core.usage import Billed, Usage
from filebatch.runs import prices

HOUR = Billed(1, Usage(3600, 2 * 3600))


@pytest.mark.parametrize(
    ("region", "architecture", "usd"),
    [
        ("us-east-1", "X86_64", 0.04048 + 2 * 0.004445),
        ("us-east-1", "ARM64", 0.03238 + 2 * 0.00356),
        ("eu-central-1", "X86_64", 0.04656 + 2 * 0.00511),
    ],
)
def test_an_hour_of_a_container_costs_what_fargate_charges(region, architecture, usd):
    assert prices.at_most(HOUR, region, architecture) == pytest.approx(usd)


def test_what_ran_on_spot_costs_at_most_what_it_would_on_demand():
    assert prices.at_most(Billed(1, spot=HOUR.on_demand), "us-east-1", "X86_64") == prices.at_most(
        HOUR, "us-east-1", "X86_64"
    )


def test_of_a_region_without_prices_nothing_is_said():
    assert prices.at_most(HOUR, "mars-north-1", "X86_64") is None


def test_every_price_says_where_it_is_from_and_is_one():
    for name, row in prices.document()["prices"].items():
        assert row["source"].startswith("https://"), name
        regions = row.keys() - {"source", "checked"}
        assert all(0 < row[region] < 10 for region in regions), name
        assert "us-east-1" in regions, name


def test_every_price_says_with_what_it_was_compared_and_when_or_nothing():
    for name, row in prices.document()["prices"].items():
        assert row["checked"].keys() <= row.keys(), name
        for told in row["checked"].values():
            assert re.fullmatch(r"(20\d\d(-\d\d){0,2}|undated) https://\S+", told), (name, told)
