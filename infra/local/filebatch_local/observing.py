"""The alarms and the dashboard of the local environment, from the documents that Terraform reads too.

Nothing here evaluates alarms; they are there to be looked at, and for tests to read their metrics.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from filebatch_local.documents import render
from filebatch_local.layout import ENVIRONMENT, REGION

RUNBOOK = "docs/runbook.md"


def observe_workers(logs: Any, cloudwatch: Any, documents: Path, settings: Mapping[str, Any], log_group: str) -> None:
    """Have the lines counted in which workers say what they could not publish, and an alarm on their number."""
    values = {
        "name": ENVIRONMENT,
        "namespace": settings["namespace"],
        "log_group": log_group,
        "developers_topic": settings["topics"]["developers"],
        "runbook": RUNBOOK,
    }
    document = render(documents, "metrics-not-published", **values)
    logs.put_metric_filter(**document["filter"])
    cloudwatch.put_metric_alarm(**document["alarm"])


def observe(cloudwatch: Any, documents: Path, feeds: Iterable[Any], settings: Mapping[str, Any]) -> None:
    """Create each feed's alarms, and one dashboard for all feeds."""
    widgets: list[dict[str, Any]] = []
    for feed in feeds:
        values = {**_values(feed.name, settings), "run_within": str(feed.run_within)}
        for one in render(documents, "alarms", **values):
            if one["requires"] is None or getattr(feed, one["requires"]) is not None:
                cloudwatch.put_metric_alarm(**_with_numbers(one["alarm"]))
        widgets += render(documents, "dashboard", **values)
    cloudwatch.put_dashboard(DashboardName=f"{ENVIRONMENT}-feeds", DashboardBody=json.dumps({"widgets": widgets}))


def _with_numbers(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """Return an alarm with numbers where the document has a placeholder, which is text."""
    return {**alarm, **{name: int(alarm[name]) for name in ("EvaluationPeriods", "DatapointsToAlarm")}}


def _values(feed: str, settings: Mapping[str, Any]) -> dict[str, str]:
    queue = str(settings["queues"][feed]).rsplit("/", 1)[-1]
    return {
        "name": ENVIRONMENT,
        "feed": feed,
        "region": REGION,
        "queue": queue,
        "dead_letter_queue": f"{queue}-dead",
        "developers_topic": settings["topics"]["developers"],
        "runbook": RUNBOOK,
    }
