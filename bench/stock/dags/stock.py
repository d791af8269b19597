"""What a user would write with the provider's operators: wait for files, a job for each, a message for each."""

import os
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.operators.batch import BatchOperator
from airflow.providers.amazon.aws.operators.sns import SnsPublishOperator
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.sdk import DAG, task

BUCKET, PREFIX = os.environ["STOCK_BUCKET"], "stock/"
POLL = 1  # seconds; the operators' own 30 and 60 would only make it slower

with DAG("stock", schedule=None, catchup=False):
    wait = S3KeySensor(
        task_id="wait_for_files",
        bucket_name=BUCKET,
        bucket_key=f"{PREFIX}*.csv",
        wildcard_match=True,
        deferrable=True,
        poke_interval=POLL,
    )

    @task
    def list_files() -> list[str]:
        """Return the keys of the files."""
        keys: list[str] = S3Hook().list_keys(BUCKET, prefix=PREFIX)
        return keys

    @task
    def environments(keys: list[str]) -> list[dict[str, list[dict[str, str]]]]:
        """Return the environment of each file's job."""
        return [{"environment": [{"name": "KEY", "value": key}]} for key in keys]

    keys: Any = list_files()
    process = BatchOperator.partial(
        task_id="process_file",
        job_name="stock",
        job_queue=os.environ["STOCK_QUEUE"],
        job_definition=os.environ["STOCK_DEFINITION"],
        share_identifier="stock",
        deferrable=True,
        poll_interval=POLL,
        awslogs_enabled=False,
    ).expand(container_overrides=environments(keys))
    tell = SnsPublishOperator.partial(task_id="tell", target_arn=os.environ["STOCK_TOPIC"]).expand(message=keys)
    wait >> keys
    process >> tell
