"""The DAG folder of these tests, for Airflow: the feeds as they are, and some whose protection is taken away."""

from pathlib import Path
from unittest import mock

import unprotected

from filebatch import dag_builder
from filebatch.feeds.feed import load_feeds

# What is taken away from a feed's doorbell, by the feed's name.
WITHOUT = {
    "no-levels-burst": unprotected.RingsForArrivals,
    "no-levels-paused": unprotected.RingsForArrivals,
    "no-condition-thrice": unprotected.RecordsAnew,
    "no-condition-late": unprotected.RecordsAnew,
    "no-order-early": unprotected.AcknowledgesFirst,
    "no-patience-deaf": unprotected.EndsWithAFault,
}


def build(feed):
    """Return a feed's DAG, less what is taken away from it."""
    doorbell = WITHOUT.get(feed.name, dag_builder.ArrivalsTrigger)
    with mock.patch.object(dag_builder, "ArrivalsTrigger", doorbell):
        dag = dag_builder.build_dag(feed)
    if feed.name == "no-space-filled":  # as anybody would write it
        dag.max_active_runs = 2
    return dag


feeds, _ = load_feeds(Path(__file__).parent / "feeds")
globals().update({feed.name: build(feed) for feed in feeds})
