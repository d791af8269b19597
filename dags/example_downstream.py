"""An example: a DAG that runs whenever a run of the feed `weather` has new results."""

import logging
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, Asset, task

log = logging.getLogger(__name__)

# The asset is known by name and address alone; nothing of filebatch is needed to wait for it.
results = Asset(name="weather-results", uri="filebatch://weather/results")

with DAG(
    dag_id="example_downstream",
    description="Logs where the new results of the feed weather are listed.",
    schedule=results,
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["filebatch", "example"],
):

    @task
    def list_manifests(triggering_asset_events: Any = None) -> list[str]:
        """Return the manifests of the runs that woke this DAG; each names files whose `_result.json` names the rest."""
        extras = [event.extra for events in triggering_asset_events.values() for event in events]
        for extra in extras:
            log.info("%s results of %s: %s", extra["results"], extra["run_id"], extra["manifest"])
        return [extra["manifest"] for extra in extras]

    list_manifests()
