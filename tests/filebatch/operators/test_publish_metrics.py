"""The task `publish_metrics`: a CloudWatch that isn't there keeps no run from its end."""

import pytest
from airflow.sdk.exceptions import AirflowFailException

from aws import feed_of
from filebatch.core.metrics import datum
from filebatch.core.publishing import NOT_PUBLISHED
from filebatch.operators.publish_metrics import PublishFeedMetricsOperator, PublishMetricsOperator
from filebatch.task_log import Failed
from filebatch_local.base.ports import free_port

GOOD = datum("orders", "FilesClaimed", "Count", [1.0])


def test_a_cloudwatch_that_is_not_there_ends_the_task_at_once_and_is_told(monkeypatch):
    """To be tried again would keep the run from its end; that the run stays green is seen with a real Airflow."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://key:secret@/?region_name=eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Failed, match=NOT_PUBLISHED):
        PublishFeedMetricsOperator(task_id="publish_metrics", feed=feed_of()).send([GOOD])


def test_a_fault_of_ours_ends_the_task_at_once_too_and_keeps_its_frames(monkeypatch):
    def broken(*_):
        raise TypeError("a bug")

    monkeypatch.setattr(PublishMetricsOperator, "send", broken)
    with pytest.raises(AirflowFailException, match="a bug") as raised:
        PublishFeedMetricsOperator(task_id="publish_metrics", feed=feed_of()).send([GOOD])
    assert not isinstance(raised.value, Failed)  # of which the log has a sentence alone
