"""The environment that is provisioned from feed files and documents."""

import functools
import json
import urllib.request

import pytest

from aws import until
from filebatch_local.batch.images import ImageEnv
from filebatch_local.serve.background import local_aws

FEED = "prefix: {prefix}\nstart: 2024-01-01\nprocessor: tabular\nmemory: {memory}\n"


@pytest.fixture(scope="module")
def feeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("feeds")
    (folder / "orders.yaml").write_text(
        FEED.format(prefix="orders/", memory=2048) + 'vcpu: 1\nimage: "own:1"\narchitecture: ARM64\n'
    )
    (folder / "orders-dead.yaml").write_text(FEED.format(prefix="orders-dead/", memory=2048))
    (folder / "broken.yaml").write_text("prefix: broken/\n")
    return folder


@pytest.fixture(scope="module")
def provisioned(feeds):
    with local_aws(feeds_dir=feeds, images={"own:1": ImageEnv(("/usr/bin", "/bin"))}) as aws:
        yield aws


@pytest.fixture(scope="module")
def ask(provisioned):
    return functools.cache(provisioned.client)


def test_the_settings_name_everything(provisioned):
    assert provisioned.settings == {
        "region": "eu-west-1",
        "environment": "filebatch-local",
        "buckets": {"new_files": "filebatch-local-new-files", "results": "filebatch-local-results"},
        "queue_prefix": f"{provisioned.endpoint}/123456789012/filebatch-local-",
        "topics": {
            name: f"arn:aws:sns:eu-west-1:123456789012:filebatch-local-{name}"
            for name in ("stakeholders", "developers")
        },
        "ledger": "filebatch-local-ledger",
        "job_queue": "filebatch-local-jobs",
        "job_definition_prefix": "filebatch-local-",
        "namespace": "filebatch/filebatch-local",
        "dimensions": {},
    }


def test_a_broken_feed_is_named_and_leaves_the_others_alone(provisioned):
    assert [problem.split(":")[0] for problem in provisioned.problems] == ["broken.yaml"]


def test_the_buckets_are_versioned_closed_and_tls_only(ask):
    s3 = ask("s3")
    for name in ("filebatch-local-new-files", "filebatch-local-results"):
        assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
        assert all(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
        assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=name)["Policy"]
    told = s3.get_bucket_notification_configuration(Bucket="filebatch-local-new-files")
    assert "EventBridgeConfiguration" in told


@pytest.mark.parametrize(("key", "arrives"), [("orders/a.csv", True), ("other/a.csv", False)])
def test_a_new_file_of_the_feed_is_told_to_its_queue_and_no_other(ask, provisioned, wait_until, key, arrives):
    sqs, url = ask("sqs"), provisioned.settings["queue_prefix"] + "orders"
    ask("s3").put_object(Bucket="filebatch-local-new-files", Key=key, Body=b"a\n1\n")
    found = sqs.receive_message(QueueUrl=url).get("Messages", [])
    assert [json.loads(one["Body"])["detail"]["object"]["key"] for one in found] == ([key] if arrives else [])
    for one in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])


def test_a_message_that_is_never_acknowledged_goes_to_the_dead_letter_queue(ask, provisioned):
    sqs = ask("sqs")
    attributes = sqs.get_queue_attributes(
        QueueUrl=provisioned.settings["queue_prefix"] + "orders", AttributeNames=["All"]
    )["Attributes"]
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"].endswith(":filebatch-local-orders_dead")
    assert int(redrive["maxReceiveCount"]) == 5
    assert attributes["MessageRetentionPeriod"] == "1209600"
    assert "events.amazonaws.com" in attributes["Policy"]


def test_no_feeds_queue_is_anothers_dead_letter_queue(ask, provisioned):
    sqs, of_feed = ask("sqs"), provisioned.settings["queue_prefix"]
    arns = [
        sqs.get_queue_attributes(QueueUrl=of_feed + feed, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for feed in provisioned.feeds
    ]
    redrives = [
        sqs.get_queue_attributes(QueueUrl=of_feed + feed, AttributeNames=["RedrivePolicy"])["Attributes"][
            "RedrivePolicy"
        ]
        for feed in provisioned.feeds
    ]
    assert "orders-dead" in provisioned.feeds
    assert not set(arns) & {json.loads(redrive)["deadLetterTargetArn"] for redrive in redrives}


def test_the_ledger_has_its_keys_and_its_indexes(ask):
    table = ask("dynamodb").describe_table(TableName="filebatch-local-ledger")["Table"]
    indexes = {one["IndexName"]: one for one in table["GlobalSecondaryIndexes"]}
    assert keys_of(table) == {"pk": "HASH", "sk": "RANGE"}
    assert {name: keys_of(index) for name, index in indexes.items()} == {
        "open": {"open": "HASH", "due_at": "RANGE"},
        "listed": {"listed": "HASH", "listed_at": "RANGE"},
    }
    assert indexes["open"]["Projection"]["ProjectionType"] == "ALL"
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def keys_of(described):
    return {one["AttributeName"]: one["KeyType"] for one in described["KeySchema"]}


def test_a_feeds_job_definition(ask):
    [found] = ask("batch").describe_job_definitions(jobDefinitionName="filebatch-local-orders")["jobDefinitions"]
    container = found["containerProperties"]
    environment = {one["name"]: one["value"] for one in container["environment"]}
    assert container["image"] == "own:1"
    assert container["command"] == ["python", "-m", "filebatch_worker"]
    assert {one["type"]: one["value"] for one in container["resourceRequirements"]} == {"VCPU": "1", "MEMORY": "2048"}
    assert container["runtimePlatform"] == {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"}
    assert environment["FILEBATCH_FEED"] == "orders"
    assert environment["FILEBATCH_RESULTS_BUCKET"] == "filebatch-local-results"
    assert container["readonlyRootFilesystem"]
    assert found["timeout"] == {"attemptDurationSeconds": 3600}
    assert found["retryStrategy"]["attempts"] == 3
    assert found["retryStrategy"]["evaluateOnExit"][-1]["onReason"] == "*"


def test_lines_of_workers_that_could_not_publish_are_counted_and_there_is_an_alarm_on_them(ask):
    [found] = ask("logs").describe_metric_filters(filterNamePrefix="filebatch-local-")["metricFilters"]
    [alarm] = ask("cloudwatch").describe_alarms(AlarmNames=["filebatch-local-metrics-not-published"])["MetricAlarms"]
    assert found["logGroupName"] == "filebatch-local-batch-jobs"
    assert found["metricTransformations"][0]["metricName"] == alarm["MetricName"] == "MetricsNotPublished"


def test_the_job_queue_keeps_its_time_limits(ask):
    [queue] = ask("batch").describe_job_queues(jobQueues=["filebatch-local-jobs"])["jobQueues"]
    assert {one["reason"].split(":")[0] for one in queue["jobStateTimeLimitActions"]} == {
        "MISCONFIGURATION",
        "CAPACITY",
    }


def test_provisioning_again_changes_nothing_and_brings_a_new_feed(provisioned, feeds, ask):
    assert provisioned.provision() == provisioned.settings
    assert (
        ask("batch").describe_job_definitions(jobDefinitionName="filebatch-local-orders")["jobDefinitions"][-1][
            "revision"
        ]
        == 1
    )
    (feeds / "returns.yaml").write_text(FEED.format(prefix="returns/", memory=1024))
    (feeds / "orders.yaml").write_text(FEED.format(prefix="orders/", memory=4096) + "vcpu: 1\n")
    assert provisioned.provision() == provisioned.settings
    assert ask("sqs").get_queue_url(QueueName="filebatch-local-returns")["QueueUrl"] == (
        provisioned.settings["queue_prefix"] + "returns"
    )
    revisions = ask("batch").describe_job_definitions(jobDefinitionName="filebatch-local-orders")["jobDefinitions"]
    assert max(one["revision"] for one in revisions) == 2


def test_feed_files_that_come_change_and_go_are_noticed_without_asking(provisioned, feeds, ask):
    def memory():
        found = ask("batch").describe_job_definitions(jobDefinitionName="filebatch-local-late", status="ACTIVE")
        newest = max(found["jobDefinitions"], key=lambda one: one["revision"], default=None)
        return newest and {one["type"]: one["value"] for one in newest["containerProperties"]["resourceRequirements"]}

    late = feeds / "late.yaml"
    late.write_text(FEED.format(prefix="late/", memory=2048) + "vcpu: 1\n")
    until(lambda: (memory() or {}).get("MEMORY") == "2048")
    ask("s3").put_object(Bucket="filebatch-local-new-files", Key="late/a.csv", Body=b"a\n1\n")
    assert ask("sqs").receive_message(QueueUrl=provisioned.settings["queue_prefix"] + "late")["Messages"]
    late.write_text(FEED.format(prefix="late/", memory=4096) + "vcpu: 1\n")
    until(lambda: memory()["MEMORY"] == "4096")
    late.unlink()
    until(lambda: memory() is None)
    assert not [url for url in ask("sqs").list_queues()["QueueUrls"] if "late" in url]
    assert "filebatch-local-late" not in [rule["Name"] for rule in ask("events").list_rules()["Rules"]]
    assert provisioned.provision() == provisioned.settings


def test_only_known_things_are_answered(provisioned):
    with pytest.raises(urllib.error.HTTPError) as refused:
        provisioned.ask("POST", "jobs/unknown/vanish")
    assert refused.value.code == 404
    with pytest.raises(urllib.error.HTTPError):
        provisioned.ask("GET", "everything")
