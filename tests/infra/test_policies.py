"""The judge of policies itself, and what requests mean to it."""

import base64
import json
from typing import Any

import pytest

from infra import calls, policies
from infra.calls import Request
from infra.policies import Call

READ = {
    "Sid": "Read",
    "Effect": "Allow",
    "Action": ["s3:GetObject", "s3:PutObject"],
    "Resource": "arn:aws:s3:::b/results/*",
}
LIST = {"Sid": "List", "Effect": "Allow", "Action": "s3:List*", "Resource": ["arn:aws:s3:::a", "arn:aws:s3:::b"]}
METRICS = {
    "Sid": "Metrics",
    "Effect": "Allow",
    "Action": "cloudwatch:PutMetricData",
    "Resource": "*",
    "Condition": {"StringEquals": {"cloudwatch:namespace": ["filebatch"]}},
}


def call(action: str, resource: str = "*", **context: str) -> Call:
    return Call("job", action, resource, tuple((name.replace("_", ":"), value) for name, value in context.items()))


GET = call("s3:GetObject", "arn:aws:s3:::b/results/x/y.json")
PUT = call("s3:putobject", "arn:aws:s3:::b/results/x")
LISTED = call("s3:ListBucket", "arn:aws:s3:::a")
MEASURED = call("cloudwatch:PutMetricData", cloudwatch_namespace="filebatch")


@pytest.mark.parametrize("made", [GET, PUT, LISTED, MEASURED])
def test_what_a_statement_says_is_allowed(made: Call) -> None:
    assert policies.denied([READ, LIST, METRICS], [made]) == []


@pytest.mark.parametrize(
    "made",
    [
        call("s3:GetObject", "arn:aws:s3:::b/quarantine/x"),
        call("s3:GetObjectVersion", "arn:aws:s3:::b/results/x"),
        call("s3:ListBucket", "arn:aws:s3:::c"),
        call("s3:ListBucket", "arn:aws:s3:::bb"),
        call("cloudwatch:PutMetricData", cloudwatch_namespace="AWS/Batch"),
        call("cloudwatch:PutMetricData"),
    ],
)
def test_anything_else_is_denied(made: Call) -> None:
    assert policies.denied([READ, LIST, METRICS], [made]) == [made]


def test_conditions_may_have_patterns_and_resources_may_be_those_not_named() -> None:
    like = {**METRICS, "Condition": {"StringLike": {"cloudwatch:namespace": "file*"}}}
    others = {"Sid": "Others", "Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::c/*"}
    foreign, own = call("s3:GetObject", "arn:aws:s3:::d/x"), call("s3:GetObject", "arn:aws:s3:::c/x")
    measured = call("cloudwatch:PutMetricData", cloudwatch_namespace="other")

    assert policies.denied([like, others], [MEASURED, measured, foreign, own]) == [measured, own]


KEYS = {
    "Sid": "Keys",
    "Effect": "Allow",
    "Action": "dynamodb:BatchGetItem",
    "Resource": "*",
    "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["s3://b/a/*", "run#a"]}},
}


@pytest.mark.parametrize(
    ("keys", "allowed"),
    [
        (("s3://b/a/x", "run#a"), True),
        (("s3://b/a/x", "s3://b/c/x"), False),
        (("run#ab",), False),
        ((), True),  # which is why a Null stands beside it
    ],
)
def test_a_condition_may_have_to_hold_of_all_values(keys: tuple[str, ...], allowed: bool) -> None:
    made = Call("job", "dynamodb:BatchGetItem", "t", tuple(("dynamodb:LeadingKeys", key) for key in keys))
    needs_keys = {**KEYS, "Condition": {**KEYS["Condition"], "Null": {"dynamodb:LeadingKeys": "false"}}}  # type: ignore[dict-item]

    assert policies.denied([KEYS], [made]) == ([] if allowed else [made])
    assert policies.denied([needs_keys], [made]) == ([] if allowed and keys else [made])


def test_a_plain_condition_on_several_values_is_an_error() -> None:
    several = Call(
        "job", "cloudwatch:PutMetricData", "*", (("cloudwatch:namespace", "a"), ("cloudwatch:namespace", "b"))
    )
    with pytest.raises(NotImplementedError):
        policies.denied([METRICS], [several])


def test_a_statement_that_no_call_needs_is_idle() -> None:
    assert policies.idle([READ, LIST, METRICS], [GET, MEASURED]) == ["List"]
    assert policies.idle([READ, READ], [GET]) == ["Read", "Read"]
    assert policies.idle([READ, LIST, METRICS], [GET, LISTED, MEASURED]) == []


def test_an_action_that_no_call_needs_is_unused() -> None:
    assert policies.unused([READ, LIST], [GET, LISTED]) == ["Read: s3:PutObject"]


@pytest.mark.parametrize(
    "odd",
    [
        {**READ, "Effect": "Deny"},
        {**READ, "NotAction": "s3:*"},
        {**METRICS, "Condition": {"StringNotLike": {"cloudwatch:namespace": "f*"}}},
    ],
)
def test_what_the_judge_does_not_know_is_an_error(odd: dict[str, object]) -> None:
    with pytest.raises(NotImplementedError):
        policies.denied([odd], [GET, MEASURED])


def request(service: str, method: str = "POST", path: str = "/", body: object = b"", **more: Any) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    said: dict[str, Any] = {"key": "k", "region": "eu-west-1", "query": "", "headers": {}, **more}
    return Request(service=service, method=method, path=path, body=base64.b64encode(raw).decode(), **said)


def target(operation: str) -> dict[str, str]:
    return {"x_amz_target": f"Service.{operation}"}


BATCH, TABLE = "arn:aws:batch:eu-west-1:123456789012", "arn:aws:dynamodb:eu-west-1:123456789012:table/t"
MEANT = [
    (request("s3", "GET", "/b/a%20key", query="versionId=1"), [("s3:GetObjectVersion", "arn:aws:s3:::b/a key")]),
    (request("s3", "GET", "/b/k", query="versionId=null"), [("s3:GetObjectVersion", "arn:aws:s3:::b/k")]),
    (request("s3", "HEAD", "/b/k"), [("s3:GetObject", "arn:aws:s3:::b/k")]),
    (
        request("s3", "GET", "/b/k", status=404),
        [("s3:GetObject", "arn:aws:s3:::b/k"), ("s3:ListBucket", "arn:aws:s3:::b")],
    ),
    (request("s3", "GET", "/b", query="versions&prefix=p"), [("s3:ListBucketVersions", "arn:aws:s3:::b")]),
    (request("s3", "GET", "/b", query="list-type=2"), [("s3:ListBucket", "arn:aws:s3:::b")]),
    (request("s3", "POST", "/b/k", query="uploads"), [("s3:PutObject", "arn:aws:s3:::b/k")]),
    (request("s3", "DELETE", "/b/k", query="uploadId=1"), [("s3:AbortMultipartUpload", "arn:aws:s3:::b/k")]),
    (
        request("s3", "PUT", "/b/k", headers={"x_amz_copy_source": "a/x%20y?versionId=1"}),
        [("s3:GetObjectVersion", "arn:aws:s3:::a/x y"), ("s3:PutObject", "arn:aws:s3:::b/k")],
    ),
    (request("dynamodb", headers=target("GetItem"), body={"TableName": "t"}), [("dynamodb:GetItem", TABLE)]),
    (
        request("dynamodb", headers=target("Query"), body={"TableName": "t", "IndexName": "open"}),
        [("dynamodb:Query", f"{TABLE}/index/open")],
    ),
    (
        request("dynamodb", headers=target("BatchGetItem"), body={"RequestItems": {"t": {}}}),
        [("dynamodb:BatchGetItem", TABLE)],
    ),
    (
        request(
            "dynamodb",
            headers=target("TransactWriteItems"),
            body={"TransactItems": [{"Put": {"TableName": "t", "Item": {"pk": {"S": "k"}}}}]},
        ),
        [("dynamodb:PutItem", TABLE)],
    ),
    (
        request("sqs", headers=target("DeleteMessageBatch"), body={"QueueUrl": "http://h/1/q"}),
        [("sqs:DeleteMessage", "arn:aws:sqs:eu-west-1:123456789012:q")],
    ),
    (request("sns", body=b"Action=Publish&TopicArn=arn:t"), [("sns:Publish", "arn:t")]),
    (
        request("batch", path="/v1/submitjob", body={"jobDefinition": "d", "jobQueue": "q"}),
        [("batch:SubmitJob", f"{BATCH}:job-definition/d"), ("batch:SubmitJob", f"{BATCH}:job-queue/q")],
    ),
    (request("batch", path="/v1/terminatejob", body={"jobId": "j"}), [("batch:terminatejob", f"{BATCH}:job/j")]),
    (request("batch", path="/v1/describejobs", body={"jobs": []}), [("batch:describejobs", "*")]),
    (
        request("logs", headers=target("GetLogEvents"), body={"logGroupName": "g", "logStreamName": "s"}),
        [("logs:GetLogEvents", "arn:aws:logs:eu-west-1:123456789012:log-group:g:log-stream:s")],
    ),
    (request("sts", body=b"Action=GetCallerIdentity"), []),
]


@pytest.mark.parametrize(("asked", "expected"), MEANT)
def test_what_a_request_means(asked: Request, expected: list[tuple[str, str]]) -> None:
    assert [(found.action, found.resource) for found in calls.meant("job", asked)] == expected


def test_the_namespace_of_metrics_is_known_in_either_protocol() -> None:
    form = {"content_type": "application/x-www-form-urlencoded; charset=utf-8"}
    asked = request("monitoring", body=b"Action=PutMetricData&Namespace=filebatch", headers=form)
    other = request("monitoring", body={"Namespace": "filebatch"}, headers=target("PutMetricData"))

    for each in (asked, other):
        (found,) = calls.meant("job", each)
        assert found == MEASURED


def test_a_service_that_nobody_thought_of_is_an_error() -> None:
    with pytest.raises(KeyError):
        list(calls.meant("job", request("kms")))
