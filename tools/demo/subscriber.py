"""A subscriber of the topics, which collects their notifications."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Subscriber:
    """A queue that is subscribed to both topics."""

    sqs: Any
    queue: str

    def received(self) -> list[dict[str, Any]]:
        """Return the notifications that have come, and delete them."""
        found: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                found.append(_read(json.loads(message["Body"])))
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return found


def subscribe(sns: Any, sqs: Any, topics: dict[str, str]) -> Subscriber:
    """Make a queue and subscribe it to the topics."""
    queue = sqs.create_queue(QueueName="filebatch-demo-subscriber")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for topic in topics.values():
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return Subscriber(sqs, queue)


def _read(envelope: dict[str, Any]) -> dict[str, Any]:
    attributes = {name: value["Value"] for name, value in envelope.get("MessageAttributes", {}).items()}
    return {
        "topic": envelope["TopicArn"].rsplit(":", 1)[-1],
        "subject": envelope.get("Subject"),
        "message": json.loads(envelope["Message"]),
        "attributes": attributes,
    }
