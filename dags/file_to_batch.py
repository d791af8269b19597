"""An Airflow DAG for each feed in feeds/*.yaml; a broken feed file is broken_feeds.py's to report."""

from pathlib import Path

from filebatch.dag_builder import feed_dags

globals().update(feed_dags(Path(__file__).parent / "feeds"))
