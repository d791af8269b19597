"""What Terraform makes and what the local AWS provisions for itself are the same to whoever looks with boto3."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from infra.applied import PREFIX, Applied

pytestmark = [pytest.mark.terraform, pytest.mark.airflow]

ALARM = (
    "AlarmDescription",
    "Metrics",
    "Namespace",
    "MetricName",
    "Dimensions",
    "Statistic",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "AlarmActions",
    "OKActions",
)
FEEDS = ("daily", "lines", "tables", "weather")


def _of_index(index: Mapping[str, Any]) -> dict[str, Any]:
    projection = {
        name: sorted(value) if name == "NonKeyAttributes" else value for name, value in index["Projection"].items()
    }
    return {"name": index["IndexName"], "keys": index["KeySchema"], "projection": projection}


class Side:
    """One of the two environments; names and ARNs of its own are replaced by what they stand for."""

    def __init__(self, here: Applied, settings: Mapping[str, Any], names: Mapping[str, str]) -> None:
        self.client, self.settings, self.names = here.client, settings, names

    def plain(self, document: Any) -> Any:
        text = json.dumps(document, sort_keys=True, default=str)
        for name in sorted(self.names, key=len, reverse=True):
            text = text.replace(name, self.names[name])
        return json.loads(text)

    def bucket(self, name: str) -> dict[str, Any]:
        s3, bucket = self.client("s3"), self.settings["buckets"][name]
        notified = s3.get_bucket_notification_configuration(Bucket=bucket)
        return {
            "versioning": s3.get_bucket_versioning(Bucket=bucket)["Status"],
            "closed": s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
            "policy": json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]),
            "events": {name: value for name, value in notified.items() if name != "ResponseMetadata"},
        }

    def ledger(self) -> dict[str, Any]:
        table = self.client("dynamodb").describe_table(TableName=self.settings["ledger"])["Table"]
        return {
            "keys": table["KeySchema"],
            "attributes": sorted(table["AttributeDefinitions"], key=str),
            "billing": table["BillingModeSummary"]["BillingMode"],
            "indexes": sorted((_of_index(index) for index in table["GlobalSecondaryIndexes"]), key=str),
        }

    def queue(self, feed: str) -> dict[str, Any]:
        sqs, url = self.client("sqs"), f"{self.settings['queue_prefix']}{feed}"
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        redrive = json.loads(found["RedrivePolicy"])
        dead = sqs.get_queue_url(QueueName=redrive["deadLetterTargetArn"].rsplit(":", 1)[1])["QueueUrl"]
        kept = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"]
        return {
            "visibility": found["VisibilityTimeout"],
            "retention": (found["MessageRetentionPeriod"], kept["MessageRetentionPeriod"]),
            "redrive": redrive,
            "policy": json.loads(found["Policy"]),
        }

    def rule(self, feed: str) -> dict[str, Any]:
        events, url = self.client("events"), f"{self.settings['queue_prefix']}{feed}"
        arn = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        (name,) = events.list_rule_names_by_target(TargetArn=arn)["RuleNames"]
        rule = events.describe_rule(Name=name)
        return {"pattern": json.loads(rule["EventPattern"]), "state": rule["State"]}

    def alarms(self, feed: str) -> dict[str, Any]:
        found = {}
        for alarm in self.client("cloudwatch").describe_alarms()["MetricAlarms"]:
            name = self.plain(alarm["AlarmName"])
            if name.startswith(f"NAME-{feed}-"):
                found[name] = {field: alarm.get(field) for field in ALARM}
                found[name]["Metrics"] = {
                    each["Id"]: each for each in alarm.get("Metrics", [])
                }  # their order says nothing
        return found

    def counted_in_logs(self) -> Any:
        filters = self.client("logs").describe_metric_filters()["metricFilters"]
        (made,) = [each for each in self.plain(filters) if each["filterName"] == "NAME-metrics-not-published"]
        names = ("filterPattern", "logGroupName", "metricTransformations")
        return {name: made[name] for name in names}, self.alarms("metrics")

    def dashboard(self) -> Any:
        cloudwatch = self.client("cloudwatch")
        names = [each["DashboardName"] for each in cloudwatch.list_dashboards()["DashboardEntries"]]
        (name,) = [each for each in names if self.plain(each) == "NAME-feeds-1"]
        return json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])

    def job_queue(self) -> dict[str, Any]:
        batch = self.client("batch")
        (queue,) = batch.describe_job_queues(jobQueues=[self.settings["job_queue"]])["jobQueues"]
        order = [each["computeEnvironment"] for each in queue["computeEnvironmentOrder"]]
        environments = batch.describe_compute_environments(computeEnvironments=order)["computeEnvironments"]
        limits = queue.get("jobStateTimeLimitActions", [])
        (policy,) = batch.describe_scheduling_policies(arns=[queue["schedulingPolicyArn"]])["schedulingPolicies"]
        return {
            "state": queue["state"],
            "priority": queue["priority"],
            "limits": sorted(limits, key=str),
            "shares": policy["fairsharePolicy"],
            "environments": [(each["type"], each["state"], each["computeResources"]["type"]) for each in environments],
        }

    def job_definition(self, feed: str) -> dict[str, Any]:
        name = f"{self.settings['job_definition_prefix']}{feed}"
        found = self.client("batch").describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
        newest = max(found, key=lambda each: each["revision"])
        names = ("type", "platformCapabilities", "propagateTags", "retryStrategy", "timeout", "containerProperties")
        definition = {name: newest.get(name) for name in names}
        for listed in ("environment", "resourceRequirements"):
            definition["containerProperties"][listed].sort(key=str)
        return definition


@pytest.fixture(scope="module")
def sides(applied: Applied) -> tuple[Side, Side]:
    account, local = "123456789012", applied.aws.settings
    names = ("execution", *(f"job-{feed}" for feed in FEEDS))
    roles = {f"arn:aws:iam::{account}:role/filebatch-local-{name}": f"ROLE-{name}" for name in names}
    ours = {
        **roles,
        local["ledger"]: "LEDGER",
        local["namespace"]: "NAMESPACE",
        f"{local['environment']}-batch-jobs": "LOGS",
        "filebatch-worker:local": "IMAGE",
        "filebatch-local-new-files": "NEW-FILES",
        "filebatch-local-results": "RESULTS",
        "filebatch-local": "NAME",
    }
    theirs = {
        **{f"arn:aws:iam::{account}:role/{PREFIX}-iam-{name}": f"ROLE-{name}" for name in names},
        applied.settings["ledger"]: "LEDGER",
        applied.settings["namespace"]: "NAMESPACE",
        f"{PREFIX}-batch-jobs": "LOGS",
        f"{account}.dkr.ecr.eu-west-1.amazonaws.com/{PREFIX}-registry-worker:0.1.0": "IMAGE",
        applied.settings["buckets"]["new_files"]: "NEW-FILES",
        applied.settings["buckets"]["results"]: "RESULTS",
        f"{PREFIX}-events": "NAME",
        f"{PREFIX}-observability": "NAME",
        f"{PREFIX}-notifications": "NAME",
    }
    return Side(applied, local, ours), Side(applied, applied.settings, theirs)


LOOKS: Mapping[str, Callable[[Side], Any]] = {
    "new-files": lambda side: side.bucket("new_files"),
    "results": lambda side: side.bucket("results"),
    "ledger": Side.ledger,
    "job queue": Side.job_queue,
    "dashboard": Side.dashboard,
    "lines counted in logs": Side.counted_in_logs,
    # Those of `daily` are overridden for other tests.
    **{f"alarms {feed}": (lambda side, feed=feed: side.alarms(feed)) for feed in FEEDS if feed != "daily"},  # type: ignore[misc]
    **{f"queue {feed}": (lambda side, feed=feed: side.queue(feed)) for feed in FEEDS},  # type: ignore[misc]
    **{f"rule {feed}": (lambda side, feed=feed: side.rule(feed)) for feed in FEEDS},  # type: ignore[misc]
    **{f"job definition {feed}": (lambda side, feed=feed: side.job_definition(feed)) for feed in FEEDS},  # type: ignore[misc]
}


@pytest.mark.parametrize("what", LOOKS)
def test_both_made_the_same(sides: tuple[Side, Side], what: str) -> None:
    local, terraform = (side.plain(LOOKS[what](side)) for side in sides)

    assert terraform == local


def test_both_write_settings_of_one_shape(applied: Applied) -> None:
    local, terraform = applied.aws.settings, applied.settings

    assert terraform.keys() == local.keys()
    for name in ("buckets", "topics"):
        assert terraform[name].keys() == local[name].keys()
    assert terraform["region"] == local["region"]
    assert [each["namespace"] for each in (terraform, local)] == [f"filebatch/{PREFIX}", "filebatch/filebatch-local"]
