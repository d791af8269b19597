"""What AWS refuses is refused here, with its code: a request for each row of the table; what is near it is taken."""

import itertools
import json
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from filebatch_local.moto_gaps.refusals import CODES, REFUSALS, refusal

_numbers = itertools.count()
ROLE = "arn:aws:iam::123456789012:role/x"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}


def _definition(**container: Any) -> dict[str, Any]:
    name = container.pop("name", "a-definition")
    size = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
    image = {"image": "filebatch-worker:local", "executionRoleArn": ROLE, "resourceRequirements": size}
    platform = {"type": "container", "platformCapabilities": ["FARGATE"]}
    return {"jobDefinitionName": name, **platform, "containerProperties": {**image, **container}}


def _size(vcpu: str, memory: str, of: str = "MEMORY") -> list[dict[str, str]]:
    return [{"type": "VCPU", "value": vcpu}, {"type": of, "value": memory}]


def _policy(**more: Any) -> str:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Requests:
    """Requests to each service, about resources that are there."""

    def __init__(self, clients: Any, queue: str) -> None:
        self.name = f"refusals-{next(_numbers)}"
        self.clients, self.job_queue = clients, queue

    def define(self, **container: Any) -> Any:
        return self.clients("batch").register_job_definition(**_definition(**container))

    def submit(self, **overrides: Any) -> Any:
        self.define(name=self.name)
        where = {"jobQueue": self.job_queue, "jobDefinition": self.name, "shareIdentifier": "tests"}
        return self.clients("batch").submit_job(jobName="job", **where, containerOverrides=overrides)

    def bucket(self) -> Any:
        s3 = self.clients("s3")
        s3.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=self.name, Key="there", Body=b"x")
        return s3

    def any_bucket(self, name: str) -> Any:
        where = {"LocationConstraint": "eu-west-1"}
        return self.clients("s3").create_bucket(Bucket=name, CreateBucketConfiguration=where)

    def put(self, key: str, **more: Any) -> Any:
        return self.bucket().put_object(Bucket=self.name, Key=key, **more)

    def begin_upload(self, key: str) -> Any:
        return self.bucket().create_multipart_upload(Bucket=self.name, Key=key)

    def copy(self, key: str = "copy", **conditions: Any) -> Any:
        source = {"Bucket": self.name, "Key": "there"}
        return self.bucket().copy_object(Bucket=self.name, Key=key, CopySource=source, **conditions)

    def read_marker(self) -> Any:
        s3 = self.bucket()
        marker = s3.delete_object(Bucket=self.name, Key="there")["VersionId"]
        return s3.get_object(Bucket=self.name, Key="there", VersionId=marker)

    def bucket_policy(self, policy: str) -> Any:
        return self.bucket().put_bucket_policy(Bucket=self.name, Policy=policy)

    def table(self) -> Any:
        dynamodb, text = self.clients("dynamodb"), [("pk", "S"), ("sk", "S"), ("open", "S"), ("due_at", "S")]

        def keys(first: str, second: str) -> list[dict[str, str]]:
            return [{"AttributeName": first, "KeyType": "HASH"}, {"AttributeName": second, "KeyType": "RANGE"}]

        index = {"IndexName": "open", "KeySchema": keys("open", "due_at"), "Projection": {"ProjectionType": "ALL"}}
        dynamodb.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in text],
            KeySchema=keys("pk", "sk"),
            GlobalSecondaryIndexes=[index],
        )
        return dynamodb

    def item(self, **attributes: Any) -> Any:
        return self.table().put_item(TableName=self.name, Item={**KEY, **attributes})

    def _update(self, **values: Any) -> dict[str, Any]:
        return {
            "TableName": self.name,
            "Key": KEY,
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
            "ExpressionAttributeNames": {f"#{name}": name for name in values},
            "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
        }

    def update(self, **values: Any) -> Any:
        return self.table().update_item(**self._update(**values))

    def transact(self, **values: Any) -> Any:
        return self.table().transact_write_items(TransactItems=[{"Update": self._update(**values)}])

    def conditional(self, condition: str = "attribute_not_exists(pk)", **more: Any) -> Any:
        return self.table().put_item(TableName=self.name, Item=KEY, ConditionExpression=condition, **more)

    def transact_unused(self) -> Any:
        update = self._update(other={"S": "x"})
        update["ExpressionAttributeNames"]["#unused"] = "unused"
        return self.table().transact_write_items(TransactItems=[{"Update": update}])

    def redrive(self, count: int) -> Any:
        dead = self.clients("sqs").create_queue(QueueName=f"{self.name}-dead")["QueueUrl"]
        arn = self.clients("sqs").get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
        policy = json.dumps({"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": count})
        return self.set_queue(RedrivePolicy=policy)

    def queue(self, **attributes: str) -> str:
        return str(self.clients("sqs").create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"])

    def set_queue(self, **attributes: str) -> Any:
        return self.clients("sqs").set_queue_attributes(QueueUrl=self.queue(), Attributes=attributes)

    def send(self, text: str) -> Any:
        return self.clients("sqs").send_message(QueueUrl=self.queue(), MessageBody=text)

    def topic(self) -> str:
        return str(self.clients("sns").create_topic(Name=self.name)["TopicArn"])

    def publish(self, **message: str) -> Any:
        return self.clients("sns").publish(TopicArn=self.topic(), **{"Message": "text", **message})

    def topic_policy(self, policy: str) -> Any:
        return self.clients("sns").set_topic_attributes(
            TopicArn=self.topic(), AttributeName="Policy", AttributeValue=policy
        )

    def metrics(self, count: int = 1, namespace: str = "tests", **more: Any) -> Any:
        datum = {"MetricName": "a", "Value": 1.0, **more}
        return self.clients("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum] * count)

    def rule(self, name: str) -> Any:
        return self.clients("events").put_rule(Name=name, EventPattern='{"source": ["aws.s3"]}')

    def targets(self, count: int) -> Any:
        self.rule(self.name)
        targets = [{"Id": str(one), "Arn": "arn:aws:sqs:eu-west-1:123456789012:q"} for one in range(count)]
        return self.clients("events").put_targets(Rule=self.name, Targets=targets)

    def role(self, name: str | None = None, trust: str = json.dumps(TRUST)) -> Any:
        return self.clients("iam").create_role(RoleName=name or self.name, AssumeRolePolicyDocument=trust)

    def role_policy(self, policy: str) -> Any:
        self.role()
        return self.clients("iam").put_role_policy(RoleName=self.name, PolicyName="own", PolicyDocument=policy)


def _dimensions(count: int, value: str = "x") -> list[dict[str, str]]:
    return [{"Name": f"d{number}", "Value": value} for number in range(count)]


# What AWS refuses, by the rule of its row, beside what is near it and taken.
CASES: list[tuple[str, Any, Any]] = [
    ("job definition's name", lambda r: r.define(name="a.b"), lambda r: r.define(name="a_b-1")),
    ("job definition's name", lambda r: r.define(name="a" * 129), lambda r: r.define(name="a" * 128)),
    (
        "at most 24 KiB",
        lambda r: r.define(environment=[{"name": "A", "value": "x" * 24_500}]),
        lambda r: r.define(environment=[{"name": "A", "value": "x" * 23_000}]),
    ),
    (
        "AWS_BATCH",
        lambda r: r.define(environment=[{"name": "AWS_BATCH_OURS", "value": "x"}]),
        lambda r: r.define(environment=[{"name": "AWS_REGION", "value": "x"}]),
    ),
    (
        "AWS_BATCH",
        lambda r: r.submit(environment=[{"name": "AWS_BATCH_JOB_ID", "value": "x"}]),
        lambda r: r.submit(environment=[{"name": "OURS", "value": "x"}]),
    ),
    ("VCPU, MEMORY or GPU", lambda r: r.submit(resourceRequirements=_size("1", "2048", "DISK")), None),
    (
        "mount point names a volume",
        lambda r: r.define(mountPoints=[{"containerPath": "/x", "sourceVolume": "none"}]),
        lambda r: r.define(volumes=[{"name": "some"}], mountPoints=[{"containerPath": "/x", "sourceVolume": "some"}]),
    ),
    (
        "pairs of vCPUs and memory",
        lambda r: r.define(resourceRequirements=_size("0.25", "513")),
        lambda r: r.define(resourceRequirements=_size("0.25", "2048")),
    ),
    ("pairs of vCPUs and memory", lambda r: r.define(resourceRequirements=_size("0.3", "512")), None),
    ("pairs of vCPUs and memory", lambda r: r.define(resourceRequirements=[]), None),
    (
        "pairs of vCPUs and memory",
        lambda r: r.submit(resourceRequirements=[{"type": "MEMORY", "value": "4096"}]),
        lambda r: r.submit(resourceRequirements=[{"type": "MEMORY", "value": "1024"}]),
    ),
    ("execution role", lambda r: r.define(executionRoleArn=""), None),
    ("isn't privileged", lambda r: r.define(privileged=True), lambda r: r.define(privileged=False)),
    ("no host", lambda r: r.define(volumes=[{"name": "x", "host": {"sourcePath": "/x"}}]), None),
    ("21 to 200 GiB", lambda r: r.define(ephemeralStorage={"sizeInGiB": 20}), None),
    (
        "21 to 200 GiB",
        lambda r: r.define(ephemeralStorage={"sizeInGiB": 201}),
        lambda r: r.define(ephemeralStorage={"sizeInGiB": 200}),
    ),
    ("1,024 bytes", lambda r: r.put("k" * 1025), lambda r: r.put("k" * 1024)),
    ("1,024 bytes", lambda r: r.put("ü" * 513), lambda r: r.put("ü" * 512)),
    ("1,024 bytes", lambda r: r.begin_upload("k" * 1025), lambda r: r.begin_upload("k" * 1024)),
    ("1,024 bytes", lambda r: r.copy("k" * 1025), lambda r: r.copy("k" * 1024)),
    (
        "CopySourceIfMatch",
        lambda r: r.copy(CopySourceIfMatch="0" * 32),
        lambda r: r.copy(CopySourceIfMatch='"9dd4e461268c8034f5c8564e155c67a6"'),
    ),
    ("IfNoneMatch", lambda r: r.copy("there", IfNoneMatch="*"), lambda r: r.copy("other", IfNoneMatch="*")),
    ("delete marker", lambda r: r.read_marker(), None),
    ("a bucket's policy", lambda r: r.bucket_policy('{"Statement":'), lambda r: r.bucket_policy(_policy())),
    ("small letters", lambda r: r.any_bucket("Upper-Case"), lambda r: r.any_bucket(f"lower.case-{r.name}")),
    ("small letters", lambda r: r.any_bucket("under_score"), None),
    ("small letters", lambda r: r.any_bucket("-hyphen"), None),
    (
        "metadata has at most 2 KB",
        lambda r: r.put("k", Metadata={"a": "x" * 2048}),
        lambda r: r.put("k", Metadata={"a": "x" * 2047}),
    ),
    ("metadata has at most 2 KB", lambda r: r.put("k", Metadata={"a": "x" * 1024, "b": "x" * 1023}), None),
    (
        "policy of a bucket has at most",
        lambda r: r.bucket_policy(_policy(Resource=["arn:aws:s3:::" + "x" * 90] * 200)),
        lambda r: r.bucket_policy(_policy(Resource=["arn:aws:s3:::" + "x" * 90] * 180)),
    ),
    (
        "ExpressionAttributeValues is",
        lambda r: r.conditional(ExpressionAttributeValues={":v": {"S": "x"}}),
        lambda r: r.conditional("pk <> :v", ExpressionAttributeValues={":v": {"S": "x"}}),
    ),
    (
        "ExpressionAttributeValues is",
        lambda r: r.conditional("pk <> :vv", ExpressionAttributeValues={":v": {"S": "x"}, ":vv": {"S": "x"}}),
        None,
    ),
    (
        "ExpressionAttributeNames is",
        lambda r: r.conditional(ExpressionAttributeNames={"#pk": "pk"}),
        lambda r: r.conditional("attribute_not_exists(#pk)", ExpressionAttributeNames={"#pk": "pk"}),
    ),
    ("ExpressionAttributeNames is", lambda r: r.transact_unused(), None),
    ("fail 1 to 1,000 times", lambda r: r.redrive(1001), lambda r: r.redrive(1000)),
    ("fail 1 to 1,000 times", lambda r: r.redrive(0), lambda r: r.redrive(1)),
    ("type of the index", lambda r: r.item(open={"N": "1"}), lambda r: r.item(open={"S": "1"})),
    ("type of the index", lambda r: r.update(due_at={"N": "1"}), lambda r: r.update(other={"N": "1"})),
    ("type of the index", lambda r: r.transact(open={"NULL": True}), lambda r: r.transact(open={"S": "x"})),
    ("key isn't empty", lambda r: r.update(open={"S": ""}), lambda r: r.update(other={"S": ""})),
    ("key isn't empty", lambda r: r.transact(due_at={"S": ""}), lambda r: r.transact(due_at={"S": "x"})),
    (
        "60 to 1,209,600 seconds",
        lambda r: r.queue(MessageRetentionPeriod="1209601"),
        lambda r: r.set_queue(MessageRetentionPeriod="1209600"),
    ),
    ("60 to 1,209,600 seconds", lambda r: r.set_queue(MessageRetentionPeriod="59"), None),
    ("a queue's policy", lambda r: r.set_queue(Policy="{"), lambda r: r.set_queue(VisibilityTimeout="60")),
    ("XML 1.0", lambda r: r.send("a\x01"), lambda r: r.send("a\tü\n\U0001f600")),
    ("a subject", lambda r: r.publish(Subject="a\nb"), lambda r: r.publish(Subject="a b")),
    ("a subject", lambda r: r.publish(Subject="für"), lambda r: r.publish(Subject="!")),
    ("a subject", lambda r: r.publish(Subject=" a"), None),
    ("a message isn't empty", lambda r: r.publish(Message=""), lambda r: r.publish(Message=" ")),
    ("a topic's policy", lambda r: r.topic_policy("{"), lambda r: r.topic_policy(_policy())),
    ("AWS/", lambda r: r.metrics(namespace="AWS/ours"), lambda r: r.metrics(namespace="AWSours")),
    ("1,000 metrics", lambda r: r.metrics(1001), lambda r: r.metrics(1000)),
    (
        "30 dimensions",
        lambda r: r.metrics(Dimensions=_dimensions(31)),
        lambda r: r.metrics(Dimensions=_dimensions(30)),
    ),
    ("ASCII text", lambda r: r.metrics(Dimensions=_dimensions(1, "ü")), None),
    ("are finite", lambda r: r.metrics(Value=float("inf")), lambda r: r.metrics(Value=2.0**360)),
    ("are finite", lambda r: r.metrics(Value=2.0**361), None),
    ("a rule's name", lambda r: r.rule("a b"), lambda r: r.rule("a.b_c-1")),
    ("5 targets", lambda r: r.targets(6), lambda r: r.targets(5)),
    ("a role's name", lambda r: r.role("r" * 65), lambda r: r.role("r" * 64)),
    ("a trust policy", lambda r: r.role(trust="{"), lambda r: r.role()),
    ("no principal", lambda r: r.role_policy(_policy(Principal="*")), lambda r: r.role_policy(_policy())),
    (
        "10,240 characters",
        lambda r: r.role_policy(_policy(Resource=["arn:aws:s3:::" + "x" * 90] * 101)),
        lambda r: r.role_policy(_policy(Resource=["arn:aws:s3:::" + "x" * 90] * 90)),
    ),
]


def _row(part: str) -> Any:
    (row,) = [one for one in REFUSALS if part in one.rule]
    return row


@pytest.fixture
def requests(aws: Any, clients: Any) -> Requests:
    return Requests(clients, aws.settings["job_queue"])


@pytest.mark.parametrize(("part", "refused"), [(part, refused) for part, refused, _ in CASES])
def test_what_aws_refuses_is_refused_with_its_code(requests, part, refused):
    row = _row(part)

    with pytest.raises(ClientError) as raised:
        refused(requests)

    answer = raised.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (row.code, row.status)
    assert row.rule in answer["Error"]["Message"]


@pytest.mark.parametrize(("part", "taken"), [(part, taken) for part, _, taken in CASES if taken])
def test_what_is_near_it_is_taken(requests, part, taken):
    assert 200 <= taken(requests)["ResponseMetadata"]["HTTPStatusCode"] < 300


def test_each_row_has_a_request():
    assert {_row(part) for part, *_ in CASES} == set(REFUSALS)


def test_each_row_says_where_it_is_documented():
    assert [row for row in REFUSALS if not row.documented.startswith("https://docs.aws.amazon.com/")] == []


def test_each_code_is_documented_or_said_to_be_a_guess():
    """By what boto3 knows of AWS's pages: which errors an operation has."""
    session = botocore.session.get_session()

    def has(row, operation):
        model = session.get_service_model(row.service).operation_model(operation)
        return row.code in {error.error_code for error in model.error_shapes}

    asked = {"item": "PutItem", "job": "SubmitJob"}  # what other operations lead to
    for row in REFUSALS:
        documented = all(has(row, asked.get(operation, operation)) for operation in row.on) or row.service in CODES
        assert row.guessed or documented, row.rule
    assert len([row for row in REFUSALS if row.guessed]) == 3


def test_a_refused_update_changes_nothing(requests):
    requests.item(open={"S": "as it was"})

    with pytest.raises(ClientError):
        requests.clients("dynamodb").update_item(**requests._update(other={"S": "new"}, open={"S": ""}))

    assert requests.clients("dynamodb").get_item(TableName=requests.name, Key=KEY)["Item"] == {
        **KEY,
        "open": {"S": "as it was"},
    }


def test_what_no_row_is_about_is_taken():
    assert refusal("batch", "ListJobs", {}) is None
