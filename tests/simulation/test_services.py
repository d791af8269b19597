"""The simulated AWS answers as the local one does: each test runs on both."""

import json
from decimal import Decimal

import pytest
from botocore.exceptions import ClientError

from aws import DOCUMENTS, Place, ended, feed_of, render, until
from claims import counted
from filebatch.core import clock, failures, metrics, run_moves
from filebatch.core.aws_errors import code
from filebatch.core.metrics import Measured
from filebatch.core.records import FileRecord, FileState
from filebatch.core.rows import Row
from filebatch.core.run_moves import Asked
from filebatch.intake import arrivals, listing
from filebatch.runs import jobs
from moves import ALL, arrival, run_record
from simulation.places import SimulatedPlace

TWO = ("simulated", "local")


@pytest.fixture(params=TWO)
def place(request) -> Place:
    return SimulatedPlace() if request.param == "simulated" else Place(request.getfixturevalue("server"))


def refused(call, **request) -> str:
    with pytest.raises(ClientError) as found:
        call(**request)
    return code(found.value)


class TestS3:
    def test_what_is_put_is_read_whole_and_in_part(self, place):
        s3, file = place.connect("s3"), place.put("orders/1.csv", b"0123456789")

        whole = s3.get_object(**file.address)
        part = s3.get_object(Bucket=file.bucket, Key=file.key, Range="bytes=2-4")

        assert (whole["Body"].read(), whole["ContentLength"]) == (b"0123456789", 10)
        assert part["Body"].read() == b"234"
        assert s3.head_object(**file.address)["ETag"].strip('"') == file.etag

    def test_a_conditional_put_is_made_once(self, place):
        s3, name = place.connect("s3"), {"Bucket": place.results, "Key": "results/r"}

        s3.put_object(**name, Body=b"1", IfNoneMatch="*")

        assert refused(s3.put_object, **name, Body=b"2", IfNoneMatch="*") == "PreconditionFailed"
        assert s3.get_object(**name)["Body"].read() == b"1"

    def test_each_version_stays_and_a_deleted_key_is_not_there(self, place):
        s3 = place.connect("s3")
        first, second = place.put("k", b"1"), place.put("k", b"22")
        s3.delete_object(Bucket=first.bucket, Key="k")

        assert s3.get_object(**first.address)["Body"].read() == b"1"
        assert s3.get_object(**second.address)["Body"].read() == b"22"
        assert refused(s3.get_object, Bucket=first.bucket, Key="k") == "NoSuchKey"
        assert refused(s3.head_object, Bucket=first.bucket, Key="k") == "404"
        assert not list(listing.versions(s3, first.bucket, "k", latest=True))
        assert [each.version_id for each in listing.versions(s3, first.bucket, "k")] == [
            second.version_id,
            first.version_id,
        ]

    def test_a_version_that_was_deleted_is_gone(self, place):
        s3, file = place.connect("s3"), place.put("k", b"1")
        place.put("k", b"2")
        s3.delete_object(Bucket=file.bucket, Key="k", VersionId=file.version_id)

        assert refused(s3.get_object, **file.address) == "NoSuchVersion"
        assert refused(s3.head_object, **file.address) == "404"

    def test_without_versions_the_etag_tells_an_object_from_its_predecessor(self, place):
        s3, first = place.connect("s3"), place.put("k", b"1", bucket=place.plain_files)
        second = place.put("k", b"2", bucket=place.plain_files)

        assert first.version_id == second.version_id == "null"
        assert refused(s3.get_object, **first.address) == "PreconditionFailed"
        assert refused(s3.head_object, **first.address) == "412"
        assert s3.get_object(**second.address)["Body"].read() == b"2"

    @pytest.mark.parametrize("size", [1, 2, 3, 100])
    def test_a_listing_goes_through_all_versions_in_pages(self, place, size):
        s3 = place.connect("s3")
        put = [place.put(key, content) for key in ("a/1", "a/2", "a/20", "b/1") for content in (b"1", b"22", b"333")]
        s3.delete_object(Bucket=place.new_files, Key="a/2")

        found, markers = [], {}
        while True:
            page = s3.list_object_versions(Bucket=place.new_files, Prefix="a/", MaxKeys=size, **markers)
            found += [(each["Key"], each["VersionId"], each["IsLatest"]) for each in page.get("Versions", [])]
            if not page["IsTruncated"]:
                break
            markers = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

        assert sorted(found) == sorted(
            (file.key, file.version_id, file.size == 3 and file.key != "a/2") for file in put if file.key < "b"
        )
        assert [key for key, _, _ in found] == ["a/1"] * 3 + ["a/2"] * 3 + ["a/20"] * 3

    def test_this_very_version_is_copied(self, place):
        s3, file = place.connect("s3"), place.put("k", b"1")
        place.put("k", b"2")

        s3.copy({"Bucket": file.bucket, "Key": "k", "VersionId": file.version_id}, place.results, "q", ExtraArgs={})

        assert s3.get_object(Bucket=place.results, Key="q")["Body"].read() == b"1"


class TestDynamoDB:
    @pytest.mark.parametrize(
        "names",
        [
            ["claimed", "begin_round 1", "written 1", "fence 1 j1", "settle 1", "announcing", "announced 1"],
            ["claim 0 g1", "fail for now 0", "claim 1 g1", "finish 1 g1", "redo 0 g2", "release 0", "claim 1 g2"],
            ["ring", "ring", "ring again", "answered before", "answered", "ring again", "swept", "arrived"],
            sorted(ALL),
        ],
        ids=["run", "file", "bell", "any order"],
    )
    def test_moves_are_made_and_refused(self, place, names):
        """On the simulated table as in memory, which test_fake_table.py holds to the local one."""
        from fake_table import FakeTable

        real, fake = place.ledger, FakeTable()
        for record in (arrival(), run_record()):
            assert fake.add(record)
            assert real.add(record)
            assert not real.add(record)
        for name in names:
            assert (name, real.try_move(ALL[name])) == (name, fake.try_move(ALL[name]))
        for key, item in fake.items.items():
            assert real.item(Row(FileRecord, *key)) == item

    def test_an_item_that_gets_too_large_is_refused_before_anything_changes(self, place):
        (row,) = place.arrive(place.put("orders/1.csv"))
        before = place.ledger.item(row)

        assert (
            refused(
                place.connect("dynamodb").update_item,
                TableName=place.table,
                Key={"pk": {"S": row.pk}, "sk": {"S": row.sk}},
                UpdateExpression="SET #reason = :new_reason",
                ExpressionAttributeNames={"#reason": "reason"},
                ExpressionAttributeValues={":new_reason": {"S": "x" * 410_000}},
            )
            == "ValidationException"
        )
        assert place.ledger.item(row) == before

    def test_the_index_lists_by_partition_and_time(self, place):
        files = [place.put(f"orders/{number}.csv") for number in range(5)]
        rows = place.arrive(*files)
        waiting = FileRecord.waiting("orders")

        assert {item["pk"] for item in place.ledger.open(waiting, due=clock.now())} == {row.pk for row in rows}
        assert len(place.ledger.open(waiting, limit=2)) == 2
        assert place.ledger.count_open(waiting, clock.now(), 3) == 3
        assert place.ledger.count_open(waiting, clock.now(), 100) == 5
        assert place.ledger.open(waiting, due=clock.parse_utc("2000-01-01")) == []
        assert place.ledger.open(FileRecord.waiting("others")) == []

    def test_the_latest_run_is_that_of_the_last_epoch(self, place):
        for epoch in (1, 2, 3):
            asked = Asked("run", epoch, 0, "")
            record = run_moves.begin(
                "orders",
                jobs.token("a" * 16, epoch),
                asked,
                timeout=place.settings().heartbeat_timeout,
                now=clock.now(),
            )
            assert place.ledger.add(record)

        latest = place.ledger.latest_run("orders", "a" * 16)

        assert latest is not None
        assert latest.epoch == 3
        assert place.ledger.latest_run("orders", "b" * 16) is None

    def test_many_are_read_at_once_and_all_are_scanned(self, place):
        rows = place.arrive(*[place.put(f"orders/{number}.csv") for number in range(120)])

        assert place.ledger.get_many([*rows, Row(FileRecord, "s3://none", "there")]).keys() == set(rows)
        assert {record.row for record in place.ledger.scan()} == set(rows)

    def test_what_batch_get_refuses(self, place):
        get, key = place.connect("dynamodb").batch_get_item, {"pk": {"S": "a"}, "sk": {"S": "b"}}
        many = [{**key, "sk": {"S": str(number)}} for number in range(101)]

        assert place.table
        assert refused(get, RequestItems={place.table: {"Keys": [key, key]}}) == "ValidationException"
        assert refused(get, RequestItems={place.table: {"Keys": many}}) == "ValidationException"

    def test_what_is_removed_is_gone(self, place):
        (row,) = place.arrive(place.put("orders/1.csv"))
        place.ledger.remove(row)
        place.ledger.remove(row)

        assert place.ledger.get(row) is None
        assert place.ledger.open(FileRecord.waiting("orders")) == []

    def test_numbers_and_nested_values_come_back(self, place):
        item = {"pk": "x", "sk": "y", "counts": {"FAILED": 2}, "rows": 7, "flag": True, "list": ["a", 1]}
        from filebatch.core.requests import decode, encode

        client = place.connect("dynamodb")
        client.put_item(TableName=place.table, Item=encode(item))
        found = client.get_item(TableName=place.table, Key=encode({"pk": "x", "sk": "y"}))["Item"]

        assert decode(found) == item
        assert found["rows"] == {"N": str(Decimal(7))}

    def test_a_table_that_is_not_there(self, place):
        key = {"pk": {"S": "a"}, "sk": {"S": "b"}}
        assert refused(place.connect("dynamodb").get_item, TableName="none", Key=key) == "ResourceNotFoundException"


class TestArrivals:
    def test_a_new_object_is_an_event_in_the_queue(self, place):
        feed = feed_of()
        queue, sqs = place.queue(feed), place.connect("sqs")
        file = place.put("orders/a b+c.csv")
        place.put("others/1.csv")

        (message,) = until(lambda: sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"))

        found = arrivals.decode(message["Body"])
        assert (found.bucket, found.key, found.version, found.size) == (file.bucket, file.key, file.version, file.size)
        event = json.loads(message["Body"])
        assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Created")

    def test_an_object_without_versions_has_no_version_id(self, place):
        feed, sqs = feed_of(), place.connect("sqs")
        queue = place.queue(feed)
        pattern = render(DOCUMENTS, "event-pattern", bucket=place.plain_files, prefix=feed.prefix)
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events, rule = place.connect("events"), f"{place.name}-plain"
        events.put_rule(Name=rule, EventPattern=json.dumps(pattern), State="ENABLED")
        events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
        file = place.put("orders/1.csv", bucket=place.plain_files)

        (message,) = until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))

        assert "version-id" not in json.loads(message["Body"])["detail"]["object"]
        assert arrivals.decode(message["Body"]).version == file.version


class TestSQS:
    def test_a_received_message_is_hidden_until_it_is_deleted(self, place):
        queue, sqs = place.queue(feed_of()), place.connect("sqs")
        sqs.send_message(QueueUrl=queue, MessageBody="hello")

        (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
        assert message["Body"] == "hello"
        assert "Messages" not in sqs.receive_message(QueueUrl=queue)

        answer = sqs.delete_message_batch(QueueUrl=queue, Entries=arrivals.delete_entries([message["ReceiptHandle"]]))
        assert [each["Id"] for each in answer["Successful"]] == ["0"]
        assert left(sqs, queue) == ("0", "0")

    def test_one_that_is_not_deleted_comes_again_with_another_receipt(self, place):
        sqs = place.connect("sqs")
        queue = sqs.create_queue(QueueName=f"{place.name}-short", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
        sqs.send_message(QueueUrl=queue, MessageBody="hello")

        (first,) = sqs.receive_message(QueueUrl=queue)["Messages"]
        (second,) = until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))

        assert first["MessageId"] == second["MessageId"]
        assert first["ReceiptHandle"] != second["ReceiptHandle"]

    def test_one_that_is_received_too_often_is_a_dead_letter(self, place):
        sqs = place.connect("sqs")
        dead = sqs.create_queue(QueueName=f"{place.name}-dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
        queue = sqs.create_queue(
            QueueName=f"{place.name}-live", Attributes={"VisibilityTimeout": "0", "RedrivePolicy": policy}
        )["QueueUrl"]
        sqs.send_message(QueueUrl=queue, MessageBody="hello")

        until(lambda: not sqs.receive_message(QueueUrl=queue).get("Messages"))

        assert left(sqs, dead)[0] == "1"
        assert left(sqs, queue) == ("0", "0")

    def test_ten_are_received_at_most_and_a_queue_must_be_there(self, place):
        queue, sqs = place.queue(feed_of()), place.connect("sqs")
        for number in range(12):
            sqs.send_message(QueueUrl=queue, MessageBody=str(number))

        assert len(sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]) == 10
        assert refused(sqs.receive_message, QueueUrl=f"{queue}-none") == "AWS.SimpleQueueService.NonExistentQueue"


def left(sqs, queue) -> tuple[str, str]:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return found[names[0]], found[names[1]]


class TestSNS:
    def test_what_is_published_and_what_is_refused(self, place):
        sns, topic = place.connect("sns"), place.server.settings["topics"]["developers"]
        message = json.dumps({"default": "text"})

        assert sns.publish(TopicArn=topic, Subject="s", Message=message, MessageStructure="json")["MessageId"]
        assert refused(sns.publish, TopicArn=topic + "-none", Subject="s", Message="m") == "NotFound"
        assert refused(sns.publish, TopicArn=topic, Subject="s" * 101, Message="m") == "InvalidParameter"
        assert refused(sns.publish, TopicArn=topic, Subject="s", Message="m" * 262_145) == "InvalidParameter"


class TestCloudWatch:
    def test_metrics_add_up(self, place):
        done = [Measured(FileState.SUCCEEDED, 0.5, 10, 1)] * 3 + [Measured(FileState.FAILED, 0.5, 10, None)]
        for _ in range(2):
            place.connect("cloudwatch").put_metric_data(Namespace=place.name, MetricData=metrics.data("orders", done))

        assert counted(place) == {"Succeeded": 6, "Failed": 2}


class TestBatch:
    def submit(self, place, name, script="exit 0", attempts=1, size=1, rules=()) -> str:
        batch = place.connect("batch")
        definition = place.job_definition(script, attempts)
        if rules:
            described = batch.describe_job_definitions(jobDefinitionName=definition, status="ACTIVE")["jobDefinitions"]
            kept = ("jobDefinitionName", "type", "platformCapabilities", "containerProperties", "timeout")
            batch.register_job_definition(
                **{each: described[0][each] for each in kept if each in described[0]},
                retryStrategy={"attempts": attempts, "evaluateOnExit": list(rules)},
            )
        array = {"arrayProperties": {"size": size}} if size > 1 else {}
        answer = batch.submit_job(
            jobName=name,
            jobQueue=place.server.settings["job_queue"],
            jobDefinition=definition,
            shareIdentifier="tests",
            **array,
        )
        return str(answer["jobId"])

    def test_a_job_is_found_by_its_name_and_ends(self, place):
        batch, queue = place.connect("batch"), place.server.settings["job_queue"]
        name = f"{place.name}-r1"
        first = self.submit(place, name)
        found = until(lambda: ended(batch, first))
        second = self.submit(place, name)

        assert found["status"] == "SUCCEEDED"
        assert found["container"]["exitCode"] == 0
        assert found["jobName"] == name
        listed = batch.list_jobs(jobQueue=queue, filters=[{"name": "JOB_NAME", "values": [name]}])["jobSummaryList"]
        assert {job["jobId"] for job in listed} == {first, second}
        assert until(lambda: ended(batch, second))

    def test_an_array_fails_with_a_child_and_tells_of_each(self, place):
        batch = place.connect("batch")
        job_id = self.submit(place, f"{place.name}-r1", "exit 70", size=3)

        job = until(lambda: ended(batch, job_id))

        assert (job["status"], job["statusReason"]) == ("FAILED", "Array Child Job failed")
        assert job["arrayProperties"]["statusSummary"]["FAILED"] == 3
        found = jobs.endings(batch, [f"{job_id}:{index}" for index in range(3)])
        assert [each.exit_code for each in found.values()] == [70, 70, 70]
        assert {each.status_reason for each in found.values()} == {"Essential container in task exited"}
        assert len(batch.describe_jobs(jobs=[f"{job_id}:0"])["jobs"][0]["attempts"]) == 1

    @pytest.mark.parametrize(("exit_code", "attempts"), [(75, 3), (70, 1), (137, 3), (0, 1)])
    def test_attempts_go_by_the_rules(self, place, exit_code, attempts):
        batch = place.connect("batch")
        job_id = self.submit(place, f"{place.name}-r1", f"exit {exit_code}", 3, rules=failures.evaluate_on_exit())

        job = until(lambda: ended(batch, job_id))

        assert [each["container"]["exitCode"] for each in job["attempts"]] == [exit_code] * attempts

    def test_a_job_that_is_terminated_says_why(self, place):
        batch = place.connect("batch")
        job_id = self.submit(place, f"{place.name}-r1", "exec sleep 60", attempts=3)
        until(lambda: batch.describe_jobs(jobs=[job_id])["jobs"][0]["status"] == "RUNNING")

        batch.terminate_job(jobId=job_id, reason="Terminated: by a test")

        job = until(lambda: ended(batch, job_id))
        assert (job["status"], job["statusReason"]) == ("FAILED", "Terminated: by a test")
        assert len(job["attempts"]) == 1

    def test_what_is_not_there(self, place):
        batch, queue = place.connect("batch"), place.server.settings["job_queue"]
        request = {"jobName": "abc", "jobQueue": queue, "shareIdentifier": "tests", "jobDefinition": "none"}

        assert batch.describe_jobs(jobs=["none"])["jobs"] == []
        assert batch.describe_job_definitions(jobDefinitionName="none", status="ACTIVE")["jobDefinitions"] == []
        assert refused(batch.submit_job, **request) == "ClientException"
