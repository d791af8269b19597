"""Creates the environment `filebatch-local` from the feed files and the documents that Terraform reads too.

Every step can be repeated: what exists is left alone or updated. moto keeps everything in memory, so a restarted server
begins empty.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from filebatch_local.base import access
from filebatch_local.base.layout import ENVIRONMENT, REGION, WORKER_IMAGE
from filebatch_local.provision.documents import render, scratch_uid
from filebatch_local.provision.observing import observe, observe_workers

NAMESPACE = f"filebatch/{ENVIRONMENT}"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{ENVIRONMENT}"
DOCUMENT_TAG = "filebatch:document"


@dataclass(frozen=True)
class Plan:
    """What to provision.

    Attributes:
        endpoint: URL of the local AWS.
        key: its access key.
        documents: folder of the documents.
        failures: file with the table of failure classes.
        dockerfile: the worker's.
        feeds: folder of feed files, or None for none.
        vcpus: maxvCpus of the compute environment.
    """

    endpoint: str
    key: str = field(repr=False)
    documents: Path
    failures: Path
    dockerfile: Path
    feeds: Path | None = None
    vcpus: int = 4


@dataclass
class Provisioned:
    """The settings (the Airflow Variable `filebatch`), the feeds, and which feed files can't be used, and why."""

    settings: dict[str, Any]
    feeds: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Provisioner:
    """Clients and names for one environment."""

    def __init__(self, plan: Plan) -> None:
        """Talk to the plan's endpoint."""
        self.plan = plan
        self._session = boto3.Session(*access.credentials(plan.key, access.SPARED).values(), region_name=REGION)
        self._config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})
        self._clients: dict[str, Any] = {}

    def run(self) -> Provisioned:
        """Create everything, return the settings."""
        settings: dict[str, Any] = {
            "region": REGION,
            "environment": ENVIRONMENT,
            "buckets": {"new_files": self.bucket("new-files"), "results": self.bucket("results")},
            "queue_prefix": f"{self.plan.endpoint}/{ACCOUNT}/{ENVIRONMENT}-",
            "topics": {name: self.topic(name) for name in ("stakeholders", "developers")},
            "ledger": self.ledger(),
            "job_queue": self.job_queue(self.compute_environment()),
            "job_definition_prefix": f"{ENVIRONMENT}-",
            "namespace": NAMESPACE,
            "dimensions": {},
        }
        log_group = self.log_group()
        feeds, errors = _load_feeds(self.plan.feeds)
        for feed in feeds:
            self.queue(feed, settings["buckets"]["new_files"])
            self.job_definition(feed, settings, log_group)
            if feed.notify.topic:
                self.topic(f"stakeholders-{feed.name}")
        observe(self._client("cloudwatch"), self.plan.documents, feeds, settings)
        observe_workers(self._client("logs"), self._client("cloudwatch"), self.plan.documents, settings, log_group)
        return Provisioned(settings, [feed.name for feed in feeds], [str(error) for error in errors])

    def bucket(self, name: str) -> str:
        """Create a versioned, private bucket that sends events to EventBridge; return its name."""
        bucket, s3 = f"{ENVIRONMENT}-{name}", self._client("s3")
        with _ignored("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=self._document("public-access-block"))
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(self._bucket_policy(name, f"arn:aws:s3:::{bucket}")))
        if name == "new-files":
            s3.put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
            )
        return bucket

    def _bucket_policy(self, name: str, arn: str) -> dict[str, Any]:
        policy: dict[str, Any] = self._document("bucket-policy", arn=arn)
        if name == "new-files":
            policy["Statement"] += self._document("landing-policy", arn=arn)["Statement"]
        return policy

    def topic(self, name: str) -> str:
        """Create an SNS topic; return its ARN."""
        return str(self._client("sns").create_topic(Name=f"{ENVIRONMENT}-{name}")["TopicArn"])

    def ledger(self) -> str:
        """Create the ledger's table; return its name."""
        document = self._document("ledger", name=f"{ENVIRONMENT}-ledger")
        with _ignored("ResourceInUseException"):
            self._client("dynamodb").create_table(**document)
        return str(document["TableName"])

    def log_group(self) -> str:
        """Create the jobs' log group; return its name."""
        name = f"{ENVIRONMENT}-batch-jobs"  # as infra/modules/batch names it
        with _ignored("ResourceAlreadyExistsException"):
            self._client("logs").create_log_group(logGroupName=name)
        return name

    def compute_environment(self) -> str:
        """Create the Fargate environment in the default network; return its ARN."""
        name, batch = f"{ENVIRONMENT}-compute", self._client("batch")
        resources = {"type": "FARGATE", "maxvCpus": self.plan.vcpus}
        found = batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
        if found:
            batch.update_compute_environment(computeEnvironment=name, computeResources={"maxvCpus": self.plan.vcpus})
            return str(found[0]["computeEnvironmentArn"])
        created = batch.create_compute_environment(
            computeEnvironmentName=name,
            type="MANAGED",
            state="ENABLED",
            serviceRole=self._service_role(),
            computeResources={**resources, **self._network()},
        )
        return str(created["computeEnvironmentArn"])

    def job_queue(self, compute_environment: str) -> str:
        """Create or update the job queue; return its name."""
        name, batch = f"{ENVIRONMENT}-jobs", self._client("batch")
        order = [{"order": 1, "computeEnvironment": compute_environment}]
        document = {
            **self._document("job-queue"),
            "computeEnvironmentOrder": order,
            "schedulingPolicyArn": self.scheduling_policy(),
        }
        if batch.describe_job_queues(jobQueues=[name])["jobQueues"]:
            batch.update_job_queue(jobQueue=name, **document)
        else:
            batch.create_job_queue(jobQueueName=name, **document)
        return name

    def scheduling_policy(self) -> str:
        """Create or update the job queue's scheduling policy; return its ARN."""
        name, batch, document = f"{ENVIRONMENT}-shares", self._client("batch"), self._document("scheduling-policy")
        listed = batch.list_scheduling_policies()["schedulingPolicies"]
        found = next((one["arn"] for one in listed if one["arn"].endswith(f"/{name}")), None)
        if found is None:
            return str(batch.create_scheduling_policy(name=name, **document)["arn"])
        batch.update_scheduling_policy(arn=found, **document)
        return str(found)

    def queue(self, feed: Any, bucket: str) -> str:
        """Create a feed's rule, queue and dead-letter queue; return the queue's URL."""
        name, document = f"{ENVIRONMENT}-{feed.name}", self._document("queue")
        pattern = json.dumps(self._document("event-pattern", bucket=bucket, prefix=feed.prefix))
        rule = self._client("events").put_rule(Name=name, EventPattern=pattern, State="ENABLED")["RuleArn"]
        _, dead = self._sqs_queue(name + document["dead_letter_suffix"], document["dead_letter_queue"])
        redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": document["max_receive_count"]})
        url, arn = self._sqs_queue(name, {**document["queue"], "RedrivePolicy": redrive})
        policy = json.dumps(self._document("queue-policy", queue=arn, rule=rule))
        self._client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        self._client("events").put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        return url

    def job_definition(self, feed: Any, settings: dict[str, Any], log_group: str) -> str:
        """Register a feed's job definition unless the newest revision is the same; return its name."""
        name, batch = f"{ENVIRONMENT}-{feed.name}", self._client("batch")
        document = self._document(
            "job-definition",
            **_feed_values(feed),
            **_environment_values(settings, log_group),
            **self._repository_values(),
        )
        digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
        active = batch.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
        newest: dict[str, Any] = max(active, key=lambda one: one["revision"], default={})
        if newest.get("tags", {}).get(DOCUMENT_TAG) != digest:
            batch.register_job_definition(jobDefinitionName=name, tags={DOCUMENT_TAG: digest}, **document)
        return name

    def remove(self, feed: str) -> None:
        """Remove a feed's resources, as Terraform does once its file is gone; some may be gone already."""
        name, events, sqs, batch = f"{ENVIRONMENT}-{feed}", *map(self._client, ("events", "sqs", "batch"))
        with _ignored("ResourceNotFoundException"):
            events.remove_targets(Rule=name, Ids=["queue"])
            events.delete_rule(Name=name)
        for queue in (name, name + self._document("queue")["dead_letter_suffix"]):
            with _ignored("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"):
                sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"])
        for found in batch.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]:
            batch.deregister_job_definition(jobDefinition=found["jobDefinitionArn"])

    def _sqs_queue(self, name: str, attributes: dict[str, str]) -> tuple[str, str]:
        sqs = self._client("sqs")
        try:
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        except sqs.exceptions.QueueDoesNotExist:
            url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def _network(self) -> dict[str, list[str]]:
        """Ask the server itself for its default network: EC2's client costs a second of start-up."""
        return dict(access.ask(self.plan.endpoint, self.plan.key, "GET", "network"))

    def _service_role(self) -> str:
        iam, name = self._client("iam"), f"{ENVIRONMENT}-batch"
        trust = {"Effect": "Allow", "Principal": {"Service": "batch.amazonaws.com"}, "Action": "sts:AssumeRole"}
        with _ignored("EntityAlreadyExists"):
            policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy)
        return str(iam.get_role(RoleName=name)["Role"]["Arn"])

    def _repository_values(self) -> dict[str, Any]:
        failures = json.loads(self.plan.failures.read_text(encoding="utf-8"))
        return {"evaluate_on_exit": failures["evaluate_on_exit"], "scratch_uid": scratch_uid(self.plan.dockerfile)}

    def _document(self, name: str, /, **values: object) -> Any:
        return render(self.plan.documents, name, **values)

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(service, endpoint_url=self.plan.endpoint, config=self._config)
        return self._clients[service]


def _feed_values(feed: Any) -> dict[str, Any]:
    from filebatch.feeds.feed import CONTAINER

    container = {name: getattr(feed, name) for name in CONTAINER}
    written = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in container.items()}
    return {
        **written,
        "feed": feed.name,
        "job_role": f"{ROLE}-job-{feed.name}",
        "image": feed.image or WORKER_IMAGE,
    }


def _environment_values(settings: dict[str, Any], log_group: str) -> dict[str, Any]:
    return {
        "ledger": settings["ledger"],
        "namespace": settings["namespace"],
        "dimensions": ",".join(f"{name}={value}" for name, value in settings["dimensions"].items()),
        "results_bucket": settings["buckets"]["results"],
        "region": settings["region"],
        "log_group": log_group,
        "execution_role": f"{ROLE}-execution",
    }


def _load_feeds(folder: Path | None) -> tuple[list[Any], list[Any]]:
    if folder is None:
        return [], []
    from filebatch.feeds.feed import load_feeds

    return load_feeds(folder)


@contextlib.contextmanager
def _ignored(*codes: str) -> Iterator[None]:
    """Ignore the errors that say that something exists already, or is gone already."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise
