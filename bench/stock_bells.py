"""DAG file: each feed's queue watched with the stock trigger, as close as it comes to our doorbell."""

import json
import os
from pathlib import Path

from airflow.providers.amazon.aws.triggers.sqs import SqsSensorTrigger
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetWatcher

QUEUES = json.loads(os.environ["AIRFLOW_VAR_FILEBATCH"])["queue_prefix"]

for file in (Path(__file__).parent / "feeds").glob("*.yaml"):
    name = file.stem
    trigger = SqsSensorTrigger(sqs_queue=f"{QUEUES}{name}", wait_time_seconds=20, waiter_delay=1)
    asset = Asset(f"stock-{name}", watchers=[AssetWatcher(name="messages", trigger=trigger)])
    with DAG(dag_id=f"stock-{name}", schedule=[asset], catchup=False, is_paused_upon_creation=True) as dag:
        EmptyOperator(task_id="hear")
    globals()[dag.dag_id] = dag
