"""The alarms and the dashboard of the local environment, from the documents that Terraform reads too.

Nothing here evaluates alarms. People look at them, and tests read their metrics.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from filebatch_local.base.layout import ENVIRONMENT, REGION
from filebatch_local.provision.documents import render

RUNBOOK = "docs/runbook.md"


def observe_workers(logs: Any, cloudwatch: Any, documents: Path, settings: Mapping[str, Any], log_group: str) -> None:
    """Create the metric filter that counts `metrics not published` in the workers' log, and its alarm."""
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
    """Create each feed's alarms, and the dashboards of all feeds."""
    shown = []
    for feed in sorted(feeds, key=lambda each: str(each.name)):
        values = {**_values(documents, feed.name, settings), "run_within": str(feed.run_within)}
        for one in render(documents, "alarms", **values):
            if one["requires"] is None or getattr(feed, one["requires"]) is not None:
                cloudwatch.put_metric_alarm(**_with_numbers(one["alarm"]))
        shown.append(render(documents, "dashboard", **values))
    for number, widgets in enumerate(_dashboards(shown), start=1):
        body = json.dumps({"widgets": widgets})
        cloudwatch.put_dashboard(DashboardName=f"{ENVIRONMENT}-feeds-{number}", DashboardBody=body)


def _dashboards(shown: Sequence[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Return the widgets of each dashboard, each with as many feeds as fit."""
    share = shown[0]["feeds_per_dashboard"] if shown else 1
    for first in range(0, len(shown), share):
        yield [widget for feed in shown[first : first + share] for widget in feed["widgets"]]


def _with_numbers(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """Return an alarm with its numbers as numbers: the document's placeholders are text."""
    return {**alarm, **{name: int(alarm[name]) for name in ("EvaluationPeriods", "DatapointsToAlarm")}}


def _values(documents: Path, feed: str, settings: Mapping[str, Any]) -> dict[str, str]:
    queue = f"{settings['queue_prefix']}{feed}".rsplit("/", 1)[-1]
    return {
        "name": ENVIRONMENT,
        "namespace": settings["namespace"],
        "feed": feed,
        "region": REGION,
        "queue": queue,
        "dead_letter_queue": queue + render(documents, "queue")["dead_letter_suffix"],
        "developers_topic": settings["topics"]["developers"],
        "runbook": RUNBOOK,
    }
