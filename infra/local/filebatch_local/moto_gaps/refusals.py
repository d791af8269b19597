"""What AWS refuses and moto 5.2.5 takes: one table, with AWS's error code and where AWS documents the rule.

tests/local/moto_gaps/test_refusals.py has a request for each row. Limits of Batch's jobs and queues are
in batch/limits.py, too, those of an item's size in dynamodb.py.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from filebatch.feeds.fargate import FARGATE_MEMORY

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Refusal:
    """One rule.

    Attributes:
        rule: what must hold, for people: it is the message of the refusal.
        service: of AWS, as boto3 calls it.
        on: what is looked at: operations, or what they lead to (`item`, `job`), as the place that asks calls it.
        code: AWS's error code.
        broken: tells of these parameters whether they break the rule.
        documented: AWS's page for the rule.
        status: of the answer.
        guessed: whether AWS documents no code for it, so that a real account may answer another.
    """

    rule: str
    service: str
    on: tuple[str, ...]
    code: str
    broken: Callable[[Params], bool]
    documented: str
    status: int = 400
    guessed: bool = False


def refusal(service: str, on: str, params: Params) -> Refusal | None:
    """Return the first rule that these parameters break, None where AWS would take them."""
    rows = (row for row in REFUSALS if row.service == service and on in row.on)
    return next((row for row in rows if row.broken(params)), None)


# Batch


def _container(params: Params) -> Params:
    return params.get("containerProperties") or params.get("containerOverrides") or {}


def _reserved(params: Params) -> bool:
    return any(one["name"].startswith("AWS_BATCH") for one in _container(params).get("environment") or [])


def _on_fargate(broken: Callable[[Params], bool]) -> Callable[[Params], bool]:
    """Return a rule of containers that holds on Fargate alone."""
    return lambda params: "FARGATE" in (params.get("platformCapabilities") or ()) and broken(_container(params))


def _size_is_not_offered(container: Params) -> bool:
    """Tell whether Fargate has no containers of this size."""
    asked = {one["type"]: one["value"] for one in container.get("resourceRequirements") or []}
    try:
        return float(asked["MEMORY"]) not in FARGATE_MEMORY[float(asked["VCPU"])]
    except (KeyError, ValueError):
        return True


def _mounts_what_is_not_there(params: Params) -> bool:
    container = _container(params)
    volumes = {one.get("name") for one in container.get("volumes") or []}
    return any(one.get("sourceVolume") not in volumes for one in container.get("mountPoints") or [])


def _disk_is_out_of_bounds(container: Params) -> bool:
    disk = container.get("ephemeralStorage")
    return disk is not None and not 21 <= disk["sizeInGiB"] <= 200


def _unknown_resource(params: Params) -> bool:
    asked = _container(params).get("resourceRequirements") or []
    return any(one["type"] not in {"VCPU", "MEMORY", "GPU"} for one in asked)


def _index_keys(params: Params) -> Iterator[Mapping[str, Any]]:
    """Yield the values that an item has for its table's indexes, each with the type that the index wants."""
    types = {one["AttributeName"]: one["AttributeType"] for one in params["types"]}
    names = {key["AttributeName"] for index in params["indexes"] for key in index}
    yield from ({"wants": types[name], "has": params["item"][name]} for name in names if name in params["item"])


def _wrong_type(params: Params) -> bool:
    return any(list(key["has"]) != [key["wants"]] for key in _index_keys(params))


def _empty_text(params: Params) -> bool:
    return any(key["has"].get("S") == "" or key["has"].get("B") == "" for key in _index_keys(params))


def _expressions(params: Params) -> Iterator[tuple[str, Params]]:
    """Yield the expressions of a request, or of each part of a transaction, as one text, with what belongs to them."""
    parts = [one for item in params.get("TransactItems") or [] for one in item.values()] or [params]
    yield from ((" ".join(str(part[name]) for name in part if name.endswith("Expression")), part) for part in parts)


def _unused(kind: str) -> Callable[[Params], bool]:
    """Return a rule that no placeholder is given that no expression has."""
    return lambda params: any(
        not re.search(f"{re.escape(name)}(?![A-Za-z0-9_])", text)
        for text, part in _expressions(params)
        for name in part.get(kind) or {}
    )


def _is_no_policy(text: str) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return True
    return not isinstance(found, dict) or "Statement" not in found


def _statements(text: str) -> Sequence[Params]:
    found = json.loads(text)["Statement"] if not _is_no_policy(text) else []
    return found if isinstance(found, list) else [found]


def _policy_among(params: Params) -> str:
    """Return the policy of a request that sets attributes; one that no rule is broken by where it sets none."""
    if params.get("AttributeName") == "Policy":
        return str(params.get("AttributeValue", ""))
    return (params.get("Attributes") or {}).get("Policy") or '{"Statement": []}'


# SNS, SQS and CloudWatch


def _is_no_subject(subject: str) -> bool:
    return not re.fullmatch(r"[!-~][ -~]*", subject)


def _has_forbidden_character(text: str) -> bool:
    return bool(re.search("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text))


def _dimensions(params: Params) -> Iterator[Sequence[Params]]:
    yield from (one.get("Dimensions") or [] for one in params.get("MetricData") or [])


def _is_out_of_bounds(params: Params) -> bool:
    values = [one.get("Value") or 0.0 for one in params.get("MetricData") or []]
    return any(not math.isfinite(value) or abs(value) > 2**360 for value in values)


def _retention_is_out_of_bounds(params: Params) -> bool:
    seconds = (params.get("Attributes") or {}).get("MessageRetentionPeriod")
    return seconds is not None and not 60 <= int(seconds) <= 1_209_600


def _redrive_is_out_of_bounds(params: Params) -> bool:
    policy = (params.get("Attributes") or {}).get("RedrivePolicy") or ""
    return bool(policy) and not 1 <= int(json.loads(policy).get("maxReceiveCount", 1)) <= 1000


_API = "https://docs.aws.amazon.com/batch/latest/APIReference/API_"
_BATCH = "https://docs.aws.amazon.com/batch/latest/userguide/"
_S3 = "https://docs.aws.amazon.com/AmazonS3/latest/"
_DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest/"
_SQS = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_"
_SNS = "https://docs.aws.amazon.com/sns/latest/api/API_"
_CLOUDWATCH = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_"
_EVENTS = "https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_"
_IAM = "https://docs.aws.amazon.com/IAM/latest/"

_DEFINE, _EITHER, _SIZED = ("RegisterJobDefinition",), ("RegisterJobDefinition", "SubmitJob"), ("job",)
_CLIENT, _VALUE, _POLICY = "ClientException", "InvalidParameterValue", "MalformedPolicyDocument"
_VALIDATION, _PARAMETER, _PRECONDITION = "ValidationException", "InvalidParameter", "PreconditionFailed"
_PUT = ("PutObject", "CopyObject", "CreateMultipartUpload")
_EXPRESSED = ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "TransactWriteItems")

# fmt: off
# Where services document codes that stand on no operation's page.
CODES = {"s3": f"{_S3}API/ErrorResponses.html", "dynamodb": f"{_DYNAMODB}developerguide/Programming.Errors.html",
         "iam": f"{_IAM}APIReference/CommonErrors.html"}
REFUSALS = (
    Refusal("a job definition's name has up to 128 letters, digits, hyphens and underscores", "batch", _DEFINE, _CLIENT,
            lambda p: not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", p.get("jobDefinitionName") or ""),
            f"{_API}RegisterJobDefinition.html"),
    Refusal("a job definition has at most 24 KiB", "batch", _DEFINE, _CLIENT,
            lambda p: len(json.dumps(p).encode()) > 24 * 1024, f"{_BATCH}service_limits.html"),
    Refusal("names of environment variables don't begin with AWS_BATCH", "batch", _EITHER, _CLIENT, _reserved,
            f"{_API}ContainerOverrides.html"),
    Refusal("a resource is VCPU, MEMORY or GPU", "batch", _EITHER, _CLIENT, _unknown_resource,
            f"{_API}ResourceRequirement.html"),
    Refusal("a mount point names a volume of its container", "batch", _DEFINE, _CLIENT, _mounts_what_is_not_there,
            f"{_API}MountPoint.html"),
    Refusal("Fargate has certain pairs of vCPUs and memory", "batch", _DEFINE + _SIZED, _CLIENT,
            _on_fargate(_size_is_not_offered), f"{_API}ResourceRequirement.html"),
    Refusal("a job on Fargate has an execution role", "batch", _DEFINE, _CLIENT,
            _on_fargate(lambda c: not c.get("executionRoleArn")), f"{_API}ContainerProperties.html"),
    Refusal("a container on Fargate isn't privileged", "batch", _DEFINE, _CLIENT,
            _on_fargate(lambda c: bool(c.get("privileged"))), f"{_API}ContainerProperties.html"),
    Refusal("a volume on Fargate has no host", "batch", _DEFINE, _CLIENT,
            _on_fargate(lambda c: any(one.get("host") for one in c.get("volumes") or [])), f"{_API}Volume.html"),
    Refusal("a disk on Fargate has 21 to 200 GiB", "batch", _DEFINE, _CLIENT, _on_fargate(_disk_is_out_of_bounds),
            f"{_API}EphemeralStorage.html"),

    Refusal("a key has at most 1,024 bytes", "s3", _PUT, "KeyTooLongError",
            lambda p: len(p["Key"].encode()) > 1024, f"{_S3}userguide/object-keys.html"),
    Refusal("the source is what CopySourceIfMatch says", "s3", ("CopyObject",), _PRECONDITION,
            lambda p: p["CopySourceIfMatch"] is not None and p["CopySourceIfMatch"].strip('"') != p["source"],
            f"{_S3}API/API_CopyObject.html", 412),
    Refusal("IfNoneMatch: * copies to a key that holds no object", "s3", ("CopyObject",), _PRECONDITION,
            lambda p: p["IfNoneMatch"] == "*" and p["exists"], f"{_S3}userguide/conditional-writes.html", 412),
    Refusal("a version that is a delete marker can't be read", "s3", ("GetObject",), "MethodNotAllowed",
            lambda p: p["marker"], f"{_S3}userguide/DeleteMarker.html", 405),
    Refusal("a bucket's name has 3 to 63 small letters, digits, dots and hyphens", "s3", ("CreateBucket",),
            "InvalidBucketName", lambda p: not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", p["Bucket"]),
            f"{_S3}userguide/bucketnamingrules.html"),
    Refusal("an object's own metadata has at most 2 KB", "s3", _PUT, "MetadataTooLarge",
            lambda p: sum(len(f"{name}{value}".encode()) for name, value in p["metadata"].items()) > 2048,
            f"{_S3}userguide/UsingMetadata.html"),
    Refusal("the policy of a bucket has at most 20 KB", "s3", ("PutBucketPolicy",), "PolicyTooLarge",
            lambda p: len(p["Policy"].encode()) > 20 * 1024, f"{_S3}userguide/add-bucket-policy.html", guessed=True),
    Refusal("a bucket's policy is a JSON document with statements", "s3", ("PutBucketPolicy",), "MalformedPolicy",
            lambda p: _is_no_policy(p["Policy"]), f"{_S3}API/API_PutBucketPolicy.html"),

    Refusal("an attribute that is an index's key has the type of the index", "dynamodb", ("item",), _VALIDATION,
            _wrong_type, f"{_DYNAMODB}APIReference/API_PutItem.html"),
    Refusal("an attribute that is an index's key isn't empty", "dynamodb", ("item",), _VALIDATION, _empty_text,
            f"{_DYNAMODB}APIReference/API_PutItem.html"),
    Refusal("each of ExpressionAttributeValues is in an expression", "dynamodb", _EXPRESSED, _VALIDATION,
            _unused("ExpressionAttributeValues"), f"{_DYNAMODB}APIReference/API_UpdateItem.html"),
    Refusal("each of ExpressionAttributeNames is in an expression", "dynamodb", _EXPRESSED, _VALIDATION,
            _unused("ExpressionAttributeNames"), f"{_DYNAMODB}APIReference/API_UpdateItem.html"),

    Refusal("messages fail 1 to 1,000 times", "sqs", ("CreateQueue", "SetQueueAttributes"), _VALUE,
            _redrive_is_out_of_bounds, f"{_SQS}SetQueueAttributes.html", guessed=True),
    Refusal("messages are kept for 60 to 1,209,600 seconds", "sqs", ("CreateQueue", "SetQueueAttributes"),
            "InvalidAttributeValue", _retention_is_out_of_bounds, f"{_SQS}SetQueueAttributes.html"),
    Refusal("a queue's policy is a JSON document with statements", "sqs", ("CreateQueue", "SetQueueAttributes"),
            "InvalidAttributeValue", lambda p: _is_no_policy(_policy_among(p)), f"{_SQS}SetQueueAttributes.html"),
    Refusal("a message holds characters that XML 1.0 allows", "sqs", ("SendMessage",), "InvalidMessageContents",
            lambda p: _has_forbidden_character(p.get("MessageBody") or ""), f"{_SQS}SendMessage.html"),

    Refusal("a subject has ASCII characters without line breaks or control characters, and begins with no blank", "sns",
            ("Publish",), _PARAMETER, lambda p: p.get("Subject") is not None and _is_no_subject(p["Subject"]),
            f"{_SNS}Publish.html"),
    Refusal("a message isn't empty", "sns", ("Publish",), _PARAMETER, lambda p: not p.get("Message"),
            f"{_SNS}Publish.html"),
    Refusal("a topic's policy is a JSON document with statements", "sns", ("SetTopicAttributes", "CreateTopic"),
            _PARAMETER, lambda p: _is_no_policy(_policy_among(p)), f"{_SNS}SetTopicAttributes.html"),

    Refusal("names of metrics' namespaces don't begin with AWS/", "cloudwatch", ("PutMetricData",), _VALUE,
            lambda p: str(p.get("Namespace")).startswith("AWS/"), f"{_CLOUDWATCH}PutMetricData.html"),
    Refusal("a request has at most 1,000 metrics", "cloudwatch", ("PutMetricData",), _VALUE,
            lambda p: len(p.get("MetricData") or []) > 1000, f"{_CLOUDWATCH}PutMetricData.html"),
    Refusal("a metric has at most 30 dimensions", "cloudwatch", ("PutMetricData",), _VALUE,
            lambda p: any(len(each) > 30 for each in _dimensions(p)), f"{_CLOUDWATCH}MetricDatum.html"),
    Refusal("dimensions are ASCII text", "cloudwatch", ("PutMetricData",), _VALUE,
            lambda p: any(not f"{one['Name']}{one['Value']}".isascii() for each in _dimensions(p) for one in each),
            f"{_CLOUDWATCH}Dimension.html"),
    Refusal("values are finite, and within 2**360", "cloudwatch", ("PutMetricData",), _VALUE, _is_out_of_bounds,
            f"{_CLOUDWATCH}MetricDatum.html"),

    Refusal("a rule's name has up to 64 letters, digits, and ._-", "events", ("PutRule",), _VALIDATION,
            lambda p: not re.fullmatch(r"[.\-_A-Za-z0-9]{1,64}", p.get("Name") or ""), f"{_EVENTS}PutRule.html",
            guessed=True),
    Refusal("a rule has at most 5 targets", "events", ("PutTargets",), "LimitExceededException",
            lambda p: len(p.get("Targets") or []) > 5,
            "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html"),

    Refusal("a role's name has at most 64 characters", "iam", ("CreateRole",), "ValidationError",
            lambda p: len(p.get("RoleName") or "") > 64, f"{_IAM}APIReference/API_CreateRole.html"),
    Refusal("a trust policy is a JSON document with statements", "iam", ("CreateRole", "UpdateAssumeRolePolicy"),
            _POLICY, lambda p: _is_no_policy(p.get("AssumeRolePolicyDocument") or p.get("PolicyDocument") or ""),
            f"{_IAM}APIReference/API_CreateRole.html"),
    Refusal("a role's own policy names no principal", "iam", ("PutRolePolicy",), _POLICY,
            lambda p: any("Principal" in one for one in _statements(p["PolicyDocument"])),
            f"{_IAM}UserGuide/reference_policies_elements_principal.html"),
    Refusal("a role's inline policies have at most 10,240 characters, blanks not counted", "iam", ("PutRolePolicy",),
            "LimitExceeded", lambda p: len(re.sub(r"\s", "", p["PolicyDocument"])) > 10_240,
            f"{_IAM}UserGuide/reference_iam-quotas.html", 409),
)
# fmt: on
