"""What AWS charges, by region: `prices.json` is the one place that prices stand in.

Workers write down what they used and not what it cost: a price may change, and their image holds no table of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from filebatch.core.usage import Billed

DOCUMENT = Path(__file__).with_name("prices.json")
SECONDS_PER_HOUR = 3600
_FARGATE = {"X86_64": "fargate", "ARM64": "fargate_arm"}


@cache
def document() -> Mapping[str, Any]:
    """Return the price table as written down."""
    found: Mapping[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return found


def of(name: str, region: str) -> float:
    """Return a price in USD; KeyError where the table has none for the region."""
    return float(document()["prices"][name][region])


def at_most(billed: Billed, region: str, architecture: str) -> float | None:
    """Return what containers cost at most, in USD: Spot as if it were on demand. None for a region without prices.

    Spot's price moves and is up to 70 % less: https://aws.amazon.com/fargate/pricing/
    """
    kind = _FARGATE[architecture]
    try:
        vcpu, gib = of(f"{kind}_vcpu_hour", region), of(f"{kind}_gib_hour", region)
    except KeyError:
        return None
    return (billed.usage.vcpu_seconds * vcpu + billed.usage.gib_seconds * gib) / SECONDS_PER_HOUR
