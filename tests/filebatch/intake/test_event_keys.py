"""Keys of events, in two worlds: EventBridge gives them as they are, or URL-encoded.

Nothing is lost or doubled in either.
"""

import json
import logging
from dataclasses import asdict
from urllib.parse import quote, quote_plus

import pytest
from botocore.exceptions import ClientError
from hypothesis import given

from aws import feed_of, recorded
from filebatch.core.contract import FileVersion
from filebatch.core.errors import ContractError
from filebatch.core.records import FileRecord
from filebatch.intake import arrivals, event_keys
from filebatch.intake.arrivals import Taken
from filebatch.intake.event_keys import Seen
from values import KEYS

FEED = feed_of()
WORLDS = {"as they are": lambda key: key, "encoded": lambda key: quote_plus(key, safe="/"), "with %20": quote}
NAMES = ["plain.csv", "a b.csv", "a+b.csv", "a%b.csv", "a%20b.csv", "a%2Bb.csv", "100%.csv", "ü ä.csv", "a%ffb.csv"]


@pytest.fixture(params=WORLDS.values(), ids=list(WORLDS))
def told(request):
    """How this world writes a key into an event."""
    return request.param


def event(file, key):
    found = {"key": key, "version-id": file.version_id, "etag": file.etag, "size": file.size}
    if file.version_id == "null":
        del found["version-id"]
    return json.dumps(
        {"time": file.last_modified, "detail": {"bucket": {"name": file.bucket}, "object": found}}, ensure_ascii=False
    )


@pytest.fixture
def queue(place):
    """A queue that hears nothing but what the tests send."""
    return place.connect("sqs").create_queue(QueueName=f"{place.name}-told")["QueueUrl"]


def taken(place, queue, *bodies):
    for body in bodies:
        place.connect("sqs").send_message(QueueUrl=queue, MessageBody=body)
    return arrivals.drain(place.connect("sqs"), place.connect("s3"), queue, place.ledger, FEED)


def keys_in(ledger):
    return sorted(record.key for record in ledger.scan() if isinstance(record, FileRecord))


def test_every_key_is_recorded_as_the_bucket_has_it(place, queue, told):
    files = [place.put(f"orders/{name}") for name in NAMES]
    bodies = [event(file, told(file.key)) for file in files]
    assert taken(place, queue, *bodies) == Taken(new=len(files))
    assert taken(place, queue, *bodies) == Taken(known=len(files))
    assert keys_in(place.ledger) == sorted(file.key for file in files)


def test_what_both_worlds_say_of_the_same_files_is_recorded_once(place, queue):
    files = [place.put(f"orders/{name}") for name in NAMES]
    taken(place, queue, *(event(file, world(file.key)) for world in WORLDS.values() for file in files))
    assert keys_in(place.ledger) == sorted(file.key for file in files)


def test_a_key_that_would_mean_another_object_is_told_by_its_version(place, queue, told):
    plus, space = place.put("orders/a+b.csv", b"same"), place.put("orders/a b.csv", b"same")
    taken(place, queue, event(space, told(space.key)), event(plus, told(plus.key)))
    assert {FileRecord.at(file) for file in (plus, space)} == {
        record.row for record in place.ledger.scan() if isinstance(record, FileRecord)
    }


def test_in_a_bucket_without_versions_the_etag_tells(place, queue, told):
    plus = place.put("orders/a+b.csv", b"one", place.plain_files)
    space = place.put("orders/a b.csv", b"other", place.plain_files)
    taken(place, queue, event(space, told(space.key)), event(plus, told(plus.key)))
    assert keys_in(place.ledger) == [space.key, plus.key]


def test_what_was_deleted_since_is_recorded_and_told(place, queue, told, caplog):
    file = place.put("orders/a b+.csv")
    place.connect("s3").delete_object(Bucket=file.bucket, Key=file.key, VersionId=file.version_id)
    with caplog.at_level(logging.WARNING):
        assert taken(place, queue, event(file, told(file.key))) == Taken(new=1)
    assert "is there any more" in caplog.text


def test_what_its_sender_encrypted_is_there_although_nobody_may_look(place, queue, told):
    file = place.put("orders/a b+.csv", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32)
    taken(place, queue, event(file, told(file.key)))
    assert keys_in(place.ledger) == [file.key]


def test_only_a_doubt_costs_a_request(place, queue):
    files = [place.put(f"orders/{name}") for name in ("plain.csv", "a b.csv", "ü.csv")]
    with recorded(place.connect("s3"), "s3.HeadObject") as calls:
        taken(place, queue, *(event(file, file.key) for file in files))
    assert calls == []


@given(KEYS)
def test_one_reading_is_the_key_as_it_stands_and_the_other_what_an_encoder_began_with(key):
    file = FileVersion("b", key, "v", "e", 1, "2026-01-02T00:00:00.000Z")
    assert event_keys.readings(file)[0] == file
    for encode in (quote_plus, quote):
        encoded = FileVersion(**{**asdict(file), "key": encode(key)})
        assert event_keys.readings(encoded)[-1] == file
    if not {"%", "+"} & set(key):
        assert event_keys.readings(file) == (file,)


ONE, OTHER = (FileVersion("b", key, "v", "e", 1, "2026") for key in ("a+b", "a b"))


@pytest.mark.parametrize(
    ("seen", "meant"),
    [
        ((Seen.THERE, Seen.NOT_THERE), ONE),
        ((Seen.NOT_THERE, Seen.THERE), OTHER),
        ((Seen.THERE, Seen.THERE), ONE),
        ((Seen.NOT_SAID, Seen.THERE), OTHER),
        ((Seen.NOT_SAID, Seen.NOT_THERE), ONE),
        ((Seen.NOT_THERE, Seen.NOT_SAID), OTHER),
        ((Seen.NOT_THERE, Seen.NOT_THERE), ONE),
    ],
)
def test_what_is_seen_decides(seen, meant):
    assert event_keys.choose((ONE, OTHER), seen) == meant


class Refusing:
    """An S3 that refuses to be looked at."""

    def __init__(self, code):
        self.code = code

    def head_object(self, **_):
        raise ClientError({"Error": {"Code": self.code}}, "HeadObject")


def test_who_may_not_look_leaves_the_message_and_says_what_to_allow():
    with pytest.raises(ContractError, match="allow Airflow s3:GetObjectVersion"):
        event_keys.meant(Refusing("403"), ONE)


def test_a_fault_of_s3_is_no_answer():
    with pytest.raises(ClientError):
        event_keys.meant(Refusing("503"), ONE)


def test_a_message_that_nobody_can_decide_stays_and_leaves_the_others_alone(place, queue, caplog):
    sqs, files = place.connect("sqs"), [place.put("orders/a+b.csv"), place.put("orders/plain.csv")]
    for file in files:
        sqs.send_message(QueueUrl=queue, MessageBody=event(file, file.key))
    with caplog.at_level(logging.ERROR):
        assert arrivals.drain(sqs, Refusing("403"), queue, place.ledger, FEED) == Taken(new=1)
    assert "is left for the dead-letter queue" in caplog.text
    assert keys_in(place.ledger) == ["orders/plain.csv"]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])
    assert found["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "1"
