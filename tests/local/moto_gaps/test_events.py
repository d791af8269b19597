"""What moto lacks in EventBridge and events.py adds, and Batch's state changes on the bus."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError


class Bus:
    """Rules whose targets are queues that can be read."""

    def __init__(self, clients, until):
        self.clients, self.until = clients, until

    def queue(self):
        sqs = self.clients("sqs")
        url = sqs.create_queue(QueueName=f"queue-{uuid.uuid4()}")["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def topic(self):
        """Return a topic, and the URL of a queue that hears it."""
        arn = self.clients("sns").create_topic(Name=f"topic-{uuid.uuid4()}")["TopicArn"]
        url, queue = self.queue()
        self.clients("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
        return arn, url

    def rule(self, pattern, *targets, **more):
        name = f"rule-{uuid.uuid4()}"
        self.clients("events").put_rule(Name=name, EventPattern=json.dumps(pattern), **more)
        numbered = [{"Id": str(number), "Arn": arn} for number, arn in enumerate(targets)]
        self.clients("events").put_targets(Rule=name, Targets=numbered)
        return name

    def received(self, url, count=1):
        """Wait for so many messages; return them decoded, in the order sent."""
        found = []

        def enough():
            answer = self.clients("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            found.extend(json.loads(one["Body"]) for one in answer.get("Messages", []))
            return len(found) >= count

        self.until(enough, f"{count} messages")
        return found


@pytest.fixture
def bus(clients, wait_until):
    bus, made = Bus(clients, wait_until), []
    put = bus.rule
    bus.rule = lambda *args, **more: made.append(put(*args, **more)) or made[-1]
    yield bus
    for name in made:
        clients("events").disable_rule(Name=name)


def created(bucket):
    return {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [bucket]}}}


@pytest.fixture
def watched(clients, bus):
    """A versioned bucket and the URL of the queue that hears of its new objects."""
    s3, name = clients("s3"), f"bucket-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
    url, arn = bus.queue()
    bus.rule(created(name), arn)
    return name, url


def test_a_new_objects_event_has_s3s_shape(clients, bus, watched):
    bucket, url = watched
    put = clients("s3").put_object(Bucket=bucket, Key="a b+c/ä.csv", Body=b"hello")
    [event] = bus.received(url)
    found = event["detail"]["object"]
    assert found == {
        "key": "a b+c/ä.csv",
        "size": 5,
        "etag": put["ETag"].strip('"'),
        "version-id": put["VersionId"],
        "sequencer": found["sequencer"],
    }
    assert (event["source"], event["account"], event["region"]) == ("aws.s3", "123456789012", "eu-west-1")
    assert event["resources"] == [f"arn:aws:s3:::{bucket}"]
    assert event["detail"]["reason"] == "PutObject"
    assert event["time"].endswith("Z")


def test_events_differ_and_their_sequencers_ascend(clients, bus, watched):
    bucket, url = watched
    for body in (b"1", b"2", b"3"):
        clients("s3").put_object(Bucket=bucket, Key="one", Body=body)
    events = bus.received(url, 3)
    sequencers = [event["detail"]["object"]["sequencer"] for event in events]
    assert sequencers == sorted(set(sequencers))
    assert len({event["id"] for event in events}) == 3


def test_a_multipart_upload_is_announced_once(clients, bus, watched):
    s3, (bucket, url) = clients("s3"), watched
    upload = s3.create_multipart_upload(Bucket=bucket, Key="one")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="one", UploadId=upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="one", UploadId=upload, MultipartUpload=parts)
    s3.put_object(Bucket=bucket, Key="last", Body=b"x")
    reasons = [event["detail"]["reason"] for event in bus.received(url, 2)]
    assert reasons == ["CompleteMultipartUpload", "PutObject"]


def test_a_bucket_without_versions_has_none_in_its_events(clients, bus):
    s3, name = clients("s3"), f"bucket-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
    url, arn = bus.queue()
    bus.rule(created(name), arn)
    s3.put_object(Bucket=name, Key="one", Body=b"x")
    [event] = bus.received(url)
    assert "version-id" not in event["detail"]["object"]


def test_a_deletion_says_what_kind_it_is(clients, bus, watched):
    s3, (bucket, _) = clients("s3"), watched
    url, arn = bus.queue()
    bus.rule({"source": ["aws.s3"], "detail-type": ["Object Deleted"], "detail": {"bucket": {"name": [bucket]}}}, arn)
    version = s3.put_object(Bucket=bucket, Key="one", Body=b"x")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="one", VersionId=version)
    [event] = bus.received(url)
    assert (event["detail"]["deletion-type"], event["detail"]["reason"]) == ("Permanently Deleted", "DeleteObject")


def test_a_topic_is_a_target_beside_a_queue(clients, bus, watched):
    bucket, url = watched
    topic, heard = bus.topic()
    bus.rule(created(bucket), topic)
    clients("s3").put_object(Bucket=bucket, Key="one", Body=b"x")
    [at_queue] = bus.received(url)
    [at_topic] = bus.received(heard)
    assert json.loads(at_topic["Message"]) == at_queue


def test_a_target_that_is_gone_stops_no_other(clients, bus, watched):
    bucket, _ = watched
    (gone, gone_arn), (url, arn) = bus.queue(), bus.queue()
    clients("sqs").delete_queue(QueueUrl=gone)
    bus.rule(created(bucket), gone_arn, arn)
    clients("s3").put_object(Bucket=bucket, Key="one", Body=b"x")
    assert len(bus.received(url)) == 1


def test_a_disabled_rule_is_silent(clients, bus, watched):
    bucket, url = watched
    silent, arn = bus.queue()
    bus.rule(created(bucket), arn, State="DISABLED")
    clients("s3").put_object(Bucket=bucket, Key="one", Body=b"x")
    bus.received(url)
    assert "Messages" not in clients("sqs").receive_message(QueueUrl=silent)


def test_events_that_are_put_arrive_whole(clients, bus):
    source = f"own.{uuid.uuid4()}"
    url, arn = bus.queue()
    bus.rule({"source": [source]}, arn)
    clients("events").put_events(Entries=[{"Source": source, "DetailType": "x", "Detail": '{"a": 1}'}])
    [event] = bus.received(url)
    assert (event["detail"], event["account"]) == ({"a": 1}, "123456789012")


def test_a_job_announces_each_state(batch, bus):
    url, arn = bus.queue()
    bus.rule({"source": ["aws.batch"], "detail-type": ["Batch Job State Change"]}, arn)
    job_id = batch.submit(batch.define("sh", "-c", "exit 3"), name="announced")
    events = bus.received(url, 5)
    assert [event["detail"]["status"] for event in events] == ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "FAILED"]
    last = events[-1]
    assert last["resources"] == [batch.describe(job_id)["jobArn"]]
    assert (last["detail"]["jobName"], last["detail"]["container"]["exitCode"]) == ("announced", 3)
    assert last["detail"]["attempts"][0]["container"]["exitCode"] == 3


def test_a_failed_array_is_told_to_people(batch, bus):
    topic, heard = bus.topic()
    pattern = {"source": ["aws.batch"], "detail": {"status": ["FAILED"], "arrayProperties": {"size": [2]}}}
    bus.rule(pattern, topic)
    job_id = batch.submit(batch.define("false"), arrayProperties={"size": 2})
    [message] = bus.received(heard)
    assert json.loads(message["Message"])["detail"]["jobId"] == job_id


def test_a_topic_that_does_not_exist_is_no_reason_to_fail(clients, bus, watched):
    bucket, url = watched
    bus.rule(created(bucket), "arn:aws:sns:eu-west-1:123456789012:nobody-made-it")
    clients("s3").put_object(Bucket=bucket, Key="one", Body=b"x")
    assert len(bus.received(url)) == 1
    with pytest.raises(ClientError):
        clients("sns").publish(TopicArn="arn:aws:sns:eu-west-1:123456789012:nobody-made-it", Message="x")
