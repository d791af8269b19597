"""An Airflow DAG for each feed in feeds/*.yaml; a broken feed file is broken_feeds.py's to report."""

from pathlib import Path

from filebatch.dag_builder import build_dag
from filebatch.feeds.feed import load_feeds

feeds, _ = load_feeds(Path(__file__).parent / "feeds")
for feed in feeds:
    globals()[feed.name] = build_dag(feed)
