"""The task `process_files`: what it says of the files changes nothing of what became of them, nor does its end."""

from unittest.mock import Mock

import pytest

from aws import feed_of
from filebatch.dag_builder import build_dag
from filebatch.runs import explaining


@pytest.mark.parametrize("error", [ValueError("a fault of ours"), RecursionError(), KeyError("reason")])
def test_a_fault_of_the_explanation_is_told_and_changes_nothing(error, monkeypatch, capsys):
    def broken(*_):
        raise error

    monkeypatch.setattr(explaining, "of", broken)
    operator = build_dag(feed_of()).task_dict["process_files"]
    operator._explain(None, None, None)
    assert "can't be told whole" in capsys.readouterr().out


def test_a_process_that_is_told_to_end_leaves_its_job_at_work():
    """A time-out of the task, a worker of Airflow that shuts down: the next try finds the job."""
    task = build_dag(feed_of()).task_dict["process_files"]
    task.job_id, task.hook = "job", Mock()

    task.on_kill()

    assert task.hook.client.mock_calls == []
