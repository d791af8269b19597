"""The simulation plays tasks and triggers with their own numbers: tries, delays, time-outs."""

from filebatch import dag_builder
from filebatch.triggers import round_job, watch
from simulation import airflow, doorbell, tasks


def test_the_numbers_of_tasks_and_triggers_are_theirs():
    assert dag_builder.RETRIES["retries"] + 1 == airflow.TRIES
    assert dag_builder.RETRIES["retry_delay"].total_seconds() == airflow.RETRY_DELAY
    assert (tasks.VANISHED_AFTER, tasks.HEARTBEAT_EVERY) == (round_job.VANISHED_AFTER, round_job.HEARTBEAT_EVERY)
    assert (doorbell.LOOK_EVERY, doorbell.LOOK_AGAIN) == (watch.LOOK_EVERY, watch.LOOK_AGAIN)
