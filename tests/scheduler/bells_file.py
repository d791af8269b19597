"""A DAG folder of doorbells: each feed's schedule, and runs that cost nothing, as Airflow itself ends an empty task."""

from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from filebatch.dag_builder import schedule
from filebatch.feeds.feed import load_feeds

feeds, _ = load_feeds(Path(__file__).parent / "feeds")
for feed in feeds:
    with DAG(dag_id=feed.name, schedule=schedule(feed), catchup=False) as dag:
        EmptyOperator(task_id="hear")
    globals()[feed.name] = dag
