"""What moto answers is the same without its detours, which are no longer taken."""

import uuid

import pytest
from moto.sqs.models import Message, SQSBackend

from filebatch_local.moto_gaps import speed

EVERY_TYPE = {
    "pk": {"S": "ü\"'\n"},
    "number": {"N": "1.50"},
    "bytes": {"B": b"\x00\xff"},
    "nothing": {"NULL": True},
    "truth": {"BOOL": False},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
    "many bytes": {"BS": [b"\x01"]},
    "list": {"L": [{"S": "a"}, {"M": {"in": {"L": [{"B": b"\x02"}]}}}]},
    "map": {"M": {"S": {"M": {}}}},
}


def test_items_of_every_type_come_back_as_they_were_put(clients, table):
    dynamodb, key = clients("dynamodb"), {"pk": EVERY_TYPE["pk"]}
    dynamodb.put_item(TableName=table, Item=EVERY_TYPE)
    update = {"UpdateExpression": "SET added = :a", "ExpressionAttributeValues": {":a": {"B": b"\x03"}}}
    assert dynamodb.get_item(TableName=table, Key=key)["Item"] == EVERY_TYPE
    assert dynamodb.scan(TableName=table)["Items"] == [EVERY_TYPE]
    assert dynamodb.batch_get_item(RequestItems={table: {"Keys": [key]}})["Responses"] == {table: [EVERY_TYPE]}
    updated = dynamodb.update_item(TableName=table, Key=key, ReturnValues="ALL_NEW", **update)["Attributes"]
    assert updated == {**EVERY_TYPE, "added": {"B": b"\x03"}}


@pytest.mark.parametrize(("age", "kept"), [(50, True), (70, False)])
def test_a_message_is_kept_as_long_as_its_queue_says(monkeypatch, age, kept):
    backend, message = SQSBackend("eu-west-1", "123456789012"), Message("m", "body", {})
    backend.create_queue("queue", MessageRetentionPeriod="60")
    message.mark_sent()
    sent = message.sent_timestamp / 1000
    monkeypatch.setattr(speed.time, "time", lambda: sent + age)
    assert speed._is_kept(backend, "queue", message) is kept


def test_a_queue_counts_what_is_there_in_work_and_delayed(clients):
    sqs = clients("sqs")
    url = sqs.create_queue(QueueName=f"queue-{uuid.uuid4()}")["QueueUrl"]
    for delay in (0, 0, 0, 900):
        sqs.send_message(QueueUrl=url, MessageBody="body", DelaySeconds=delay)
    sqs.receive_message(QueueUrl=url)
    names = ["", "NotVisible", "Delayed"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert [found[f"ApproximateNumberOfMessages{name}"] for name in names] == ["2", "1", "1"]
