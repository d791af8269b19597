"""Messages of a dead-letter queue are moved as SQS moves them."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError


class Queues:
    """A queue with its dead-letter queue, and one more."""

    def __init__(self, sqs):
        self.sqs = sqs
        name = f"moves-{uuid.uuid4()}"
        self.dead, self.dead_arn = self.make(f"{name}-dead")
        redrive = json.dumps({"deadLetterTargetArn": self.dead_arn, "maxReceiveCount": 1})
        self.source, self.source_arn = self.make(name, RedrivePolicy=redrive, VisibilityTimeout="0")
        self.other, self.other_arn = self.make(f"{name}-other")

    def make(self, name, **attributes):
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        asked = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, asked["Attributes"]["QueueArn"]

    def fail(self, *texts):
        """Bring messages into the dead-letter queue as consumers do: by taking them without deleting them."""
        for text in texts:
            attributes = {"kind": {"DataType": "String", "StringValue": "test"}}
            self.sqs.send_message(QueueUrl=self.source, MessageBody=text, MessageAttributes=attributes)
        for _ in range(2):
            self.sqs.receive_message(QueueUrl=self.source, MaxNumberOfMessages=10)

    def held(self, url):
        found = self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
        )
        return sorted((one["Body"], one["MessageAttributes"]["kind"]["StringValue"]) for one in found["Messages"])

    def count(self, url):
        asked = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(asked["Attributes"]["ApproximateNumberOfMessages"])

    def start(self, **more):
        return self.sqs.start_message_move_task(SourceArn=self.dead_arn, **more)["TaskHandle"]

    def last(self):
        (found,) = self.sqs.list_message_move_tasks(SourceArn=self.dead_arn)["Results"]
        return found


@pytest.fixture
def queues(clients):
    return Queues(clients("sqs"))


def ended(queues, wait_until):
    return wait_until(lambda: found if (found := queues.last())["Status"] != "RUNNING" else None, "the end of a move")


def test_messages_go_back_to_where_they_came_from(queues, wait_until):
    queues.fail("one", "two")
    assert (queues.count(queues.source), queues.count(queues.dead)) == (0, 2)

    queues.start()

    found = ended(queues, wait_until)
    assert found["StartedTimestamp"] > 0
    assert {name: found[name] for name in found if name != "StartedTimestamp"} == {
        "Status": "COMPLETED",
        "SourceArn": queues.dead_arn,
        "ApproximateNumberOfMessagesMoved": 2,
        "ApproximateNumberOfMessagesToMove": 2,
    }
    assert queues.count(queues.dead) == 0
    assert queues.held(queues.source) == [("one", "test"), ("two", "test")]


def test_messages_go_where_they_are_told_to(queues, wait_until):
    queues.fail("one")

    queues.start(DestinationArn=queues.other_arn)

    assert ended(queues, wait_until)["DestinationArn"] == queues.other_arn
    assert queues.held(queues.other) == [("one", "test")]


def test_a_message_that_was_sent_to_the_dead_letter_queue_itself_has_no_source(queues, wait_until):
    queues.sqs.send_message(QueueUrl=queues.dead, MessageBody="stray")

    queues.start()

    found = ended(queues, wait_until)
    assert (found["Status"], found["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert queues.count(queues.dead) == 1


def test_a_move_is_cancelled(queues):
    queues.fail("one", "two", "three")
    handle = queues.start(MaxNumberOfMessagesPerSecond=1)
    assert queues.last()["TaskHandle"] == handle

    moved = queues.sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]

    found = queues.last()
    assert (found["Status"], found["MaxNumberOfMessagesPerSecond"]) == ("CANCELLED", 1)
    assert "TaskHandle" not in found
    assert moved < 3


def test_what_is_deleted_meanwhile_is_not_moved_and_ends_no_move(queues, wait_until):
    queues.fail("one", "two")
    queues.start(MaxNumberOfMessagesPerSecond=2)
    queues.sqs.purge_queue(QueueUrl=queues.dead)

    found = ended(queues, wait_until)
    assert (found["Status"], found["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 0)
    assert queues.count(queues.source) == 0


def test_the_newest_moves_are_listed_first(queues, wait_until):
    queues.start()
    ended(queues, wait_until)
    queues.fail("one")
    queues.start(DestinationArn=queues.other_arn)
    ended(queues, wait_until)

    listed = queues.sqs.list_message_move_tasks(SourceArn=queues.dead_arn, MaxResults=10)["Results"]

    assert [one["ApproximateNumberOfMessagesMoved"] for one in listed] == [1, 0]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (lambda q: q.sqs.start_message_move_task(SourceArn=f"{q.dead_arn}-none"), "ResourceNotFoundException"),
        (lambda q: q.sqs.list_message_move_tasks(SourceArn=f"{q.dead_arn}-none"), "ResourceNotFoundException"),
        (lambda q: q.start(DestinationArn=f"{q.dead_arn}-none"), "ResourceNotFoundException"),
        (lambda q: q.sqs.cancel_message_move_task(TaskHandle="none"), "ResourceNotFoundException"),
        (lambda q: q.sqs.start_message_move_task(SourceArn=q.other_arn), "AWS.SimpleQueueService.UnsupportedOperation"),
        (lambda q: q.start(MaxNumberOfMessagesPerSecond=501), "InvalidParameterValue"),
    ],
)
def test_what_sqs_refuses_is_refused(queues, request_, code):
    with pytest.raises(ClientError) as raised:
        request_(queues)
    assert raised.value.response["Error"]["Code"] == code


def test_one_move_of_a_queue_at_a_time(queues):
    queues.fail("one", "two")
    handle = queues.start(MaxNumberOfMessagesPerSecond=1)

    with pytest.raises(ClientError, match="running already"):
        queues.start()

    queues.sqs.cancel_message_move_task(TaskHandle=handle)
