"""What moto lacks in SQS and sqs.py adds."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest


@pytest.fixture
def queue(clients):
    """Return the name and URL of a queue with a redrive policy."""
    sqs, name = clients("sqs"), f"queue-{uuid.uuid4()}"
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
    return name, sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": redrive})["QueueUrl"]


def test_redrive_policy_is_written_as_sqs_writes_it(clients, queue):
    asked = {"QueueUrl": queue[1], "AttributeNames": ["RedrivePolicy"]}
    written = clients("sqs").get_queue_attributes(**asked)["Attributes"]["RedrivePolicy"]
    assert written.endswith('-dead","maxReceiveCount":5}')


def test_a_queue_publishes_how_many_wait_and_how_long(clients, queue):
    name, url = queue
    for body in ("one", "two"):
        clients("sqs").send_message(QueueUrl=url, MessageBody=body)
    assert _metric(clients, "ApproximateNumberOfMessagesVisible", name) == 2
    assert 0 <= _metric(clients, "ApproximateAgeOfOldestMessage", name) < 60


def _metric(clients, metric, queue):
    now = datetime.now(UTC)
    points = clients("cloudwatch").get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName=metric,
        Dimensions=[{"Name": "QueueName", "Value": queue}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=5),
        Period=300,
        Statistics=["Maximum"],
    )["Datapoints"]
    return max(point["Maximum"] for point in points)
