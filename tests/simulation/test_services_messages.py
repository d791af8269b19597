"""The simulated queues, topics, metrics and jobs behave as the local ones do: each test runs on both."""

import json

import pytest

from aws import DOCUMENTS, ended, feed_of, render, until
from claims import counted
from filebatch.core import failures, metrics
from filebatch.core.metrics import Measured
from filebatch.core.records import FileState
from filebatch.intake import arrivals
from filebatch.runs import jobs
from refusals import refused


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
