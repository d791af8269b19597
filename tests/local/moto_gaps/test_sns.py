"""What was published can be read in a file, as people would get it."""

import json
import uuid

import moto.sns.models as moto_sns
import pytest

from filebatch_local.moto_gaps import sns


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(moto_sns, "Topic", moto_sns.Topic)  # put back afterwards
    found = tmp_path / "messages.txt"
    found.write_text("of the last start")
    sns.install(found)
    return found


@pytest.fixture
def topic(file):
    return moto_sns.sns_backends["123456789012"]["eu-west-1"].create_topic(f"developers-{uuid.uuid4().hex}")


def test_people_read_their_text_and_not_the_programs(topic, file):
    body = json.dumps({"default": "orders: 1 failed\n'a.csv'", "sqs": '{"feed": "orders"}'})
    topic.publish(body, subject="filebatch orders: 1 failed", message_structure="json")
    first, *rest = file.read_text().splitlines()
    assert first.startswith("--- 2")
    assert first.endswith(f"+00:00 {topic.name}")
    assert rest == ["Subject: filebatch orders: 1 failed", "", "orders: 1 failed", "'a.csv'", ""]
    assert topic.sent_notifications[0][1] == body


def test_a_plain_message_is_there_as_it_is_and_others_follow(topic, file):
    topic.publish("an alarm", subject=None)
    topic.publish("another", subject="x")
    assert [line for line in file.read_text().splitlines() if line in ("an alarm", "another")] == [
        "an alarm",
        "another",
    ]


def test_only_its_owner_reads_it_and_each_start_begins_anew(file):
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text() == ""
