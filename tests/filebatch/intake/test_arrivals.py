"""Arrivals: from a real put over EventBridge and SQS into the ledger, and only then acknowledged."""

import json
import logging
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws import NOW, feed_of, until
from filebatch.core import clock, file_moves
from filebatch.core.contract import FileVersion
from filebatch.core.errors import ContractError
from filebatch.core.feed_records import Arrival
from filebatch.core.parallel import side_by_side
from filebatch.core.records import FileRecord, FileState
from filebatch.intake import arrivals
from filebatch.intake.arrivals import Taken
from golden import golden
from values import JSON, KEYS

FEED = feed_of()
EVENT = golden("s3-event")


def body(**changes):
    """An event whose object is changed in some fields."""
    event = json.loads(json.dumps(EVENT))
    event["detail"]["object"].update(changes)
    return json.dumps(event)


def messages(place, queue):
    """Return what lies in a queue, without taking it."""
    found = place.connect("sqs").get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"]
    return sum(map(int, found.values()))


def drained(place, queue, feed=FEED):
    return arrivals.drain(place.connect("sqs"), place.connect("s3"), queue, place.ledger, feed)


def test_an_event_as_aws_documents_it_is_a_file_version():
    assert arrivals.decode(json.dumps(EVENT)) == FileVersion(
        "amzn-s3-demo-bucket1",
        "orders/2026-01-02/example key+%20ü.csv",
        "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
        "b1946ac92492d2347c6235b4d2611184",
        5,
        "2021-11-12T00:00:00.000Z",
    )


def test_a_bucket_without_versions_has_the_version_null():
    event = json.loads(json.dumps(EVENT))
    del event["detail"]["object"]["version-id"]
    assert arrivals.decode(json.dumps(event)).version == "null:b1946ac92492d2347c6235b4d2611184"


@given(KEYS)
def test_an_events_key_is_taken_as_it_is_and_never_decoded(key):
    assert arrivals.decode(body(key=key)).key == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"Object Created"',
        "{}",
        json.dumps({"detail": {"object": {}}}),
        body(size="many"),
        body(size=None),
        body(etag=None),
        '{"detail": {"object": {"size": Infinity}}}',
        body(size=0).replace('"size": 0', '"size": Infinity'),
        json.dumps({**EVENT, "time": "soon"}),
        json.dumps({**EVENT, "time": "0001-01-01T00:00:00+14:00"}),
        body(key="half a pair \ud800"),
        "[" * 100_000,
    ],
)
def test_a_message_that_is_no_such_event_is_a_contract_error(text):
    with pytest.raises(ContractError, match="expected an EventBridge event 'Object Created'"):
        arrivals.decode(text)


@given(JSON | st.fixed_dictionaries({"detail": JSON, "time": JSON}))
def test_any_other_message_is_a_contract_error_too(document):
    with pytest.raises(ContractError):
        arrivals.decode(json.dumps(document))


def test_what_is_put_into_the_bucket_waits_in_the_ledger(place):
    queue = place.queue(FEED)
    file = place.put("orders/a b+c%20ü.csv")
    until(lambda: messages(place, queue) == 1)
    assert drained(place, queue) == Taken(new=1)
    found = place.ledger.get(FileRecord.at(file))
    assert found.state == FileState.ARRIVED
    assert (found.size, found.etag, found.version_id) == (file.size, file.etag, file.version_id)
    assert [each["key"] for each in place.ledger.open(FileRecord.waiting("orders"))] == [file.key]
    assert messages(place, queue) == 0
    assert place.ledger.get(Arrival.at("orders")).arrived_at


def test_what_lies_under_another_prefix_does_not_come(place):
    queue = place.queue(FEED)
    place.put("elsewhere/a.csv")
    place.put("orders/a.csv")
    until(lambda: messages(place, queue) == 1)
    assert drained(place, queue) == Taken(new=1)


def test_an_overwrite_is_a_new_file_beside_the_old_one(place):
    queue = place.queue(FEED)
    first, second = place.put("orders/a.csv"), place.put("orders/a.csv")
    until(lambda: messages(place, queue) == 2)
    assert drained(place, queue) == Taken(new=2)
    assert FileRecord.at(first) != FileRecord.at(second)
    assert {item["sk"] for item in place.ledger.open(FileRecord.waiting("orders"))} == {first.version, second.version}


def send(place, queue, *bodies):
    for text in bodies:
        place.connect("sqs").send_message(QueueUrl=queue, MessageBody=text)


def test_an_object_announced_five_times_out_of_order_is_one_file(place):
    queue = place.queue(FEED)
    newer = body(**{"version-id": "v2", "etag": "f" * 32})
    send(place, queue, newer, *[json.dumps(EVENT)] * 4, newer, json.dumps(EVENT))
    assert drained(place, queue) == Taken(new=2)  # what is told twice at once counts once
    assert messages(place, queue) == 0


def test_an_announcement_of_a_file_that_is_done_changes_nothing(place):
    queue = place.queue(FEED)
    send(place, queue, json.dumps(EVENT))
    drained(place, queue)
    key = FileRecord.at(arrivals.decode(json.dumps(EVENT)))
    place.ledger.move(file_moves.claim(key, "token", "run", 1, NOW))
    before = place.ledger.get(key)
    send(place, queue, json.dumps(EVENT))
    assert drained(place, queue) == Taken(known=1)
    assert place.ledger.get(key) == before


def test_more_messages_than_one_call_brings_are_all_taken(place):
    queue = place.queue(FEED)
    send(place, queue, *(body(key=f"orders/{number}.csv") for number in range(25)))
    assert drained(place, queue) == Taken(new=25)


def test_a_message_that_nobody_understands_stays_and_the_others_are_taken(place, caplog):
    queue = place.queue(FEED)
    send(place, queue, "no event", json.dumps(EVENT))
    with caplog.at_level(logging.ERROR):
        assert drained(place, queue) == Taken(new=1)
    assert messages(place, queue) == 1
    assert "is left for the dead-letter queue" in caplog.text


def test_history_and_keys_that_match_no_pattern_are_counted_and_gone(place):
    feed = feed_of(pattern=r".*\.csv", start="2026-01-01")
    queue = place.queue(feed)
    send(place, queue, body(key="orders/a.csv"), body(key="orders/a.tmp"))
    assert drained(place, queue, feed) == Taken(history=1, unmatched=1)
    assert messages(place, queue) == 0
    assert list(place.ledger.scan()) == []


def test_a_file_that_is_told_again_is_no_arrival_of_the_day(place):
    yesterday, today = "2026-02-28T23:59:00.000Z", "2026-03-01T11:00:00.000Z"
    file = replace(place.put("orders/a.csv"), last_modified=yesterday)
    for now in (NOW, NOW + timedelta(seconds=1)):
        arrivals.record(place.ledger, FEED, [file], now)
        assert place.ledger.get(Arrival.at("orders")).arrived_at == yesterday
    newer = replace(file, version_id="newer", last_modified=today)
    for files in ([newer], [newer, file], [file]):
        arrivals.record(place.ledger, FEED, files, NOW + timedelta(minutes=1))
        assert place.ledger.get(Arrival.at("orders")).arrived_at == today


def test_a_time_of_a_file_that_is_still_to_come_is_no_arrival_of_then(place):
    file = replace(place.put("orders/a.csv"), last_modified="9999-01-01T00:00:00.000Z")
    arrivals.record(place.ledger, FEED, [file], NOW)
    assert place.ledger.get(Arrival.at("orders")).arrived_at == clock.to_iso(NOW)


def test_a_message_is_acknowledged_only_after_its_file_is_in_the_ledger(place):
    """A drain that dies over the ledger leaves the message, and the next one takes it."""
    queue = place.queue(FEED)
    send(place, queue, json.dumps(EVENT))

    class Dies:
        side_by_side = staticmethod(side_by_side)
        try_move = place.ledger.try_move

        def add(self, record):
            raise ConnectionError

    with pytest.raises(ConnectionError):
        arrivals.drain(place.connect("sqs"), place.connect("s3"), queue, Dies(), FEED)
    assert messages(place, queue) == 1


def test_what_could_not_be_deleted_is_tried_once_more_and_then_left_to_come_again(place):
    class Stubborn:
        """Deletes one message a call and reports the others as failed, with status 200, as SQS may."""

        def __init__(self):
            self.deleted = []

        def delete_message_batch(self, QueueUrl, Entries):  # noqa: N803 - boto3's
            self.deleted.append(Entries[0]["ReceiptHandle"])
            failed = [{"Id": entry["Id"], "SenderFault": False, "Code": "InternalError"} for entry in Entries[1:]]
            return {"Failed": failed}

    sqs = Stubborn()
    arrivals.acknowledge(sqs, "queue", ["a", "b", "c"])
    assert sqs.deleted == ["a", "b"]


def test_nothing_is_deleted_of_nothing():
    arrivals.acknowledge(None, "queue", [])


@given(st.lists(st.integers(0, 9), min_size=8, max_size=8))
def test_what_was_taken_adds_up(numbers):
    one, other = Taken(*numbers[:4]), Taken(*numbers[4:])
    assert one + other == Taken(*(sum(pair) for pair in zip(numbers[:4], numbers[4:], strict=True)))
