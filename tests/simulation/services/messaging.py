"""SQS, SNS, EventBridge and CloudWatch, as far as filebatch calls them."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from simulation.services.base import Service, refusal
from simulation.services.s3 import NULL, Bucket, Version

ACCOUNT = "123456789012"
RECEIVE = 10


@dataclass
class Message:
    """A message of a queue: from when on it is visible, and how often it was received."""

    id: str
    body: str
    visible: datetime
    received: int = 0


@dataclass
class Queue:
    """A queue; receipts lead to messages, of which the last receipt counts."""

    visibility: timedelta
    dead_letters: str | None = None
    max_receive: int = 0
    messages: list[Message] = field(default_factory=list)
    receipts: dict[str, Message] = field(default_factory=dict)


class SQS(Service):
    """Simulated standard queues.

    Args:
        now: tells the time.
        shuffle: puts what a receive looks at into an order of its own.
    """

    def __init__(self, now: Callable[[], datetime], endpoint: str) -> None:
        self.now, self.endpoint = now, endpoint
        self.shuffle: Callable[[list[Message]], None] = lambda _: None
        self.queues: dict[str, Queue] = {}
        self._numbers = count(1)

    def create_queue(self, QueueName: str, Attributes: dict[str, str] | None = None) -> dict[str, str]:
        given = Attributes or {}
        queue = Queue(timedelta(seconds=int(given.get("VisibilityTimeout", "30"))))
        if policy := json.loads(given.get("RedrivePolicy", "null")):
            queue.max_receive = int(policy["maxReceiveCount"])
            queue.dead_letters = self.url(policy["deadLetterTargetArn"].rsplit(":", 1)[-1])
        self.queues[self.url(QueueName)] = queue
        return {"QueueUrl": self.url(QueueName)}

    def delete_queue(self, QueueUrl: str) -> dict[str, Any]:
        self._queue("delete_queue", QueueUrl)
        del self.queues[QueueUrl]
        return {}

    def url(self, name: str) -> str:
        return f"{self.endpoint}/{ACCOUNT}/{name}"

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:
        queue = self._queue("get_queue_attributes", QueueUrl)
        visible = sum(each.visible <= self.now() for each in queue.messages)
        found = {
            "QueueArn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{QueueUrl.rsplit('/', 1)[-1]}",
            "ApproximateNumberOfMessages": str(visible),
            "ApproximateNumberOfMessagesNotVisible": str(len(queue.messages) - visible),
        }
        return {"Attributes": {name: found[name] for name in AttributeNames}}

    def send_message(self, QueueUrl: str, MessageBody: str, DelaySeconds: float = 0) -> dict[str, str]:
        message = Message(f"m{next(self._numbers)}", MessageBody, self.now() + timedelta(seconds=DelaySeconds))
        self._queue("send_message", QueueUrl).messages.append(message)
        return {"MessageId": message.id}

    def receive_message(self, QueueUrl: str, MaxNumberOfMessages: int = 1, WaitTimeSeconds: int = 0) -> dict[str, Any]:
        if not 1 <= MaxNumberOfMessages <= RECEIVE:
            raise refusal("receive_message", "InvalidParameterValue", "MaxNumberOfMessages must be between 1 and 10")
        queue, now = self._queue("receive_message", QueueUrl), self.now()
        waiting = [each for each in queue.messages if each.visible <= now]
        self.shuffle(waiting)
        found = []
        for message in waiting:
            if queue.max_receive and message.received >= queue.max_receive:
                queue.messages.remove(message)
                self.queues[str(queue.dead_letters)].messages.append(Message(message.id, message.body, now))
            elif len(found) < MaxNumberOfMessages:
                found.append(self._received(queue, message))
        return {"Messages": found} if found else {}

    def delete_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        queue = self._queue("delete_message_batch", QueueUrl)
        if not 1 <= len(Entries) <= RECEIVE:
            code = "EmptyBatchRequest" if not Entries else "TooManyEntriesInBatchRequest"
            raise refusal("delete_message_batch", f"AWS.SimpleQueueService.{code}")
        done, failed = [], []
        for entry in Entries:
            message = queue.receipts.get(entry["ReceiptHandle"])
            if message is None:
                failed.append({"Id": entry["Id"], "SenderFault": True, "Code": "ReceiptHandleIsInvalid", "Message": ""})
                continue
            if message in queue.messages:
                queue.messages.remove(message)
            done.append({"Id": entry["Id"]})
        return {"Successful": done, **({"Failed": failed} if failed else {})}

    def _received(self, queue: Queue, message: Message) -> dict[str, Any]:
        message.visible, message.received = self.now() + queue.visibility, message.received + 1
        receipt = f"r{next(self._numbers)}"
        queue.receipts[receipt] = message
        return {"MessageId": message.id, "ReceiptHandle": receipt, "Body": message.body}

    def _queue(self, operation: str, url: str) -> Queue:
        if url not in self.queues:
            raise refusal(operation, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        return self.queues[url]


class Events(Service):
    """EventBridge: rules on S3's new objects whose targets are queues.

    Args:
        sqs: where the queues are.
        copies: after how many seconds each copy of an event is delivered: one at once, unless told otherwise.
    """

    def __init__(self, now: Callable[[], datetime], sqs: SQS) -> None:
        self.now, self.sqs = now, sqs
        self.copies: Callable[[], list[float]] = lambda: [0.0]
        self._rules: dict[str, tuple[str, str]] = {}
        self._targets: dict[str, list[str]] = {}
        self._sequence = count(1)

    def put_rule(self, Name: str, EventPattern: str, State: str) -> dict[str, Any]:
        detail = json.loads(EventPattern)["detail"]
        self._rules[Name] = (detail["bucket"]["name"][0], detail["object"]["key"][0]["prefix"])
        return {}

    def put_targets(self, Rule: str, Targets: list[dict[str, str]]) -> dict[str, Any]:
        self._targets[Rule] = [target["Arn"].rsplit(":", 1)[-1] for target in Targets]
        return {}

    def created(self, bucket: Bucket, version: Version) -> None:
        """Deliver the event of a new object to every queue whose rule it matches."""
        body = json.dumps(self._event(bucket, version))
        for rule, (name, prefix) in self._rules.items():
            if bucket.name == name and version.key.startswith(prefix):
                for queue in self._targets.get(rule, []):
                    for delay in self.copies():
                        self.sqs.send_message(QueueUrl=self.sqs.url(queue), MessageBody=body, DelaySeconds=delay)

    def _event(self, bucket: Bucket, version: Version) -> dict[str, Any]:
        found = {
            "key": version.key,
            "sequencer": f"{next(self._sequence):016X}",
            "size": version.size,
            "etag": version.etag,
        }
        named = {} if version.id == NULL else {"version-id": version.id}
        return {
            "version": "0",
            "id": f"{next(self._sequence)}",
            "detail-type": "Object Created",
            "source": "aws.s3",
            "account": ACCOUNT,
            "time": self.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": "eu-west-1",
            "resources": [f"arn:aws:s3:::{bucket.name}"],
            "detail": {
                "version": "0",
                "bucket": {"name": bucket.name},
                "object": {**found, **named},
                "reason": "PutObject",
            },
        }


class SNS(Service):
    """Simulated topics, which keep what was published to them."""

    def __init__(self) -> None:
        self.topics: dict[str, list[dict[str, Any]]] = {}
        self.published: Callable[[dict[str, Any]], None] = lambda _: None  # is told of each message
        self.forbidden: Callable[[], bool] = lambda: False
        self._numbers = count(1)

    def create_topic(self, Name: str) -> dict[str, str]:
        arn = f"arn:aws:sns:eu-west-1:{ACCOUNT}:{Name}"
        self.topics.setdefault(arn, [])
        return {"TopicArn": arn}

    def publish(self, TopicArn: str, Message: str, Subject: str, **more: Any) -> dict[str, str]:
        if TopicArn not in self.topics:
            raise refusal("publish", "NotFound", "Topic does not exist", 404)
        if self.forbidden():
            raise refusal("publish", "AuthorizationError", "not authorized to perform: SNS:Publish", 403)
        if not 0 < len(Subject) <= 100:
            raise refusal("publish", "InvalidParameter", "Invalid parameter: Subject")
        if len(Message.encode()) > 256 * 1024:
            raise refusal("publish", "InvalidParameter", "Invalid parameter: Message too long")
        self.topics[TopicArn].append({"Subject": Subject, "Message": Message, **more})
        self.published(self.topics[TopicArn][-1])
        return {"MessageId": str(next(self._numbers))}


class CloudWatch(Service):
    """Simulated metrics: the sum of each, by namespace, name and dimensions."""

    def __init__(self) -> None:
        self.sums: Counter[tuple[str, str, tuple[tuple[str, str], ...]]] = Counter()

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> dict[str, Any]:
        if len(MetricData) > 1000:
            raise refusal("put_metric_data", "InvalidParameterValue", "at most 1000 metrics", 400)
        for datum in MetricData:
            dimensions = tuple(sorted((each["Name"], each["Value"]) for each in datum.get("Dimensions", [])))
            counts = datum.get("Counts") or [1] * len(datum.get("Values", []))
            total = sum(value * times for value, times in zip(datum.get("Values", []), counts, strict=True))
            self.sums[Namespace, datum["MetricName"], dimensions] += total + datum.get("Value", 0)
        return {}

    def get_metric_statistics(
        self, Namespace: str, MetricName: str, Dimensions: list[dict[str, str]], **_: Any
    ) -> dict[str, Any]:
        dimensions = tuple(sorted((each["Name"], each["Value"]) for each in Dimensions))
        key = (Namespace, MetricName, dimensions)
        return {"Datapoints": [{"Sum": self.sums[key]}] if key in self.sums else []}
