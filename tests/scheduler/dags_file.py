"""The DAG folder of these tests, for Airflow: the feeds as they are, and one whose protection is taken away."""

from pathlib import Path

from filebatch.dag_builder import build_dag
from filebatch.feed import load_feeds

feeds, _ = load_feeds(Path(__file__).parent / "feeds")
for feed in feeds:
    dag = build_dag(feed)
    if feed.name == "bounded":  # as anybody would write it
        dag.max_active_runs = 2
    globals()[feed.name] = dag
