"""Messages within SNS's limits, whatever a run has to say."""

import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aws import until
from filebatch.runs.sns_message import DATA_PROTOCOLS, MAX_MESSAGE, attributes, message, publish, subject
from filebatch.runs.summary import MAX_FILES, FileLine, Summary
from golden import agrees, golden
from values import KEYS

SUMMARY = Summary(
    feed="orders",
    run_id="manual__2026-01-02",
    status="FAILED",
    counts={"FAILED": 1},
    files=(FileLine("orders/ü\n.csv", "v1", "FAILED", None, None, "bug: ValueError: x"),),
    more=0,
    manifest="s3://results/manifests/orders/0123456789abcdef-0001/plan.json",
    job_id="job-1",
)
ANY = st.text() | st.text("\x00\n\r\x7f\u2028 é🦆", max_size=300)


@given(ANY | st.text(min_size=90, max_size=200))
@example("")
@example("\ud800")
@example("a\nb\rc\x0bd\u2028e")
def test_any_text_becomes_a_legal_subject(text):
    found = subject(text)
    assert 1 <= len(found) <= 100
    assert found.isascii()
    assert found.isprintable()
    assert not found[0].isspace()


def test_a_short_subject_stays_as_it_is():
    assert subject("filebatch orders: all files processed (3 SUCCEEDED)") == (
        "filebatch orders: all files processed (3 SUCCEEDED)"
    )


def test_a_long_subject_says_that_it_was_cut():
    assert subject("x" * 101) == "x" * 97 + "..."


def size(text: str) -> int:
    return len(text.encode())


@given(ANY, st.dictionaries(st.text(max_size=5), ANY, max_size=5))
def test_a_message_gives_text_to_people_and_the_document_to_programs(text, document):
    found = json.loads(message(text, document))
    assert found["default"] == text or not text
    assert found.keys() == {"default", *DATA_PROTOCOLS}
    for protocol in DATA_PROTOCOLS:
        assert json.loads(found[protocol]) == document


@given(st.sampled_from(["x", "é", "🦆", "\x00", "\n", '"', "\\"]), st.integers(0, 400_000))
def test_a_text_of_any_size_makes_a_message_that_fits(sign, times):
    found = message(sign * times, {"feed": "orders"})
    assert size(found) <= MAX_MESSAGE
    assert json.loads(json.loads(found)["sqs"]) == {"feed": "orders"}


LINES = st.builds(FileLine, KEYS, KEYS, st.just("FAILED"), st.none(), st.none() | KEYS, KEYS)
WORST = FileLine("\x01" * 1024, "v" * 32, "FAILED", None, None, f"bug: {'🦆' * 500}")
USUAL = FileLine("orders/2026-01-02/a.csv", "v" * 32, "FAILED", None, None, f"bug: ValueError: {'x' * 480}")


@given(LINES, st.integers(0, MAX_FILES))
@example(WORST, MAX_FILES)
@example(USUAL, MAX_FILES)
def test_a_summary_of_any_files_makes_a_message_that_fits_and_counts_them_all(line, times):
    sent = Recorder()
    publish(sent, "arn:topic", replace(SUMMARY, files=(line,) * times, more=7, counts={"FAILED": times + 7}))
    assert size(sent.request["Message"]) <= MAX_MESSAGE
    document = json.loads(json.loads(sent.request["Message"])["sqs"])
    assert len(document["files"]) + document["more"] == times + 7
    assert bool(document["files"]) == bool(times)
    assert document["counts"] == {"FAILED": times + 7}
    assert f"{document['more']} more" in json.loads(sent.request["Message"])["default"]


class Recorder:
    """Stands for an SNS client: keeps what is published."""

    def publish(self, **request):
        self.request = request


def test_a_message_is_as_its_subscribers_know_it():
    sent = Recorder()
    publish(sent, "arn:aws:sns:eu-west-1:123456789012:filebatch-test-developers", SUMMARY)
    parts = json.loads(sent.request["Message"])
    assert agrees("sns-publish", {**sent.request, "Message": {**parts, "sqs": json.loads(parts["sqs"])}})


def test_a_subscriber_gets_what_was_published(place):
    sns, sqs = place.connect("sns"), place.connect("sqs")
    topic = sns.create_topic(Name=place.name)["TopicArn"]
    url = sqs.create_queue(QueueName=place.name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"status": ["FAILED"]})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"FilterPolicy": policy})
    publish(sns, topic, replace(SUMMARY, status="SUCCEEDED"))
    publish(sns, topic, SUMMARY)
    received = until(lambda: sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"))
    envelopes = [json.loads(one["Body"]) for one in received]
    assert [json.loads(one["Message"])["status"] for one in envelopes] == ["FAILED"]
    assert envelopes[0]["Subject"] == golden("sns-publish")["Subject"]


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("a", "String", "a"),
        (True, "String", "true"),
        (False, "String", "false"),
        (3, "Number", "3"),
        (0.5, "Number", "0.5"),
    ],
)
def test_attributes_have_the_type_that_filter_policies_match(value, kind, text):
    assert attributes({"name": value}) == {"name": {"DataType": kind, "StringValue": text}}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_sns_has_not_is_text(value):
    assert attributes({"name": value})["name"]["DataType"] == "String"


def test_an_attribute_without_a_value_is_left_out():
    assert attributes({"name": "", "other": None, "feed": "orders"}).keys() == {"feed"}
