"""What recorded requests mean to IAM: action and resource of each, as AWS's authorization reference has them.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote

from infra.policies import Call

ACCOUNT = "123456789012"
Meant = Iterator[tuple[str, str, Mapping[str, str | list[str]]]]  # action, resource, context


@dataclass(frozen=True)
class Request:
    """One recorded request."""

    key: str
    region: str
    service: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: str
    status: int = 200
    answer: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)  # of the job that it is about

    @cached_property
    def content(self) -> bytes:
        raw = base64.b64decode(self.body)
        return gzip.decompress(raw) if self.headers.get("content_encoding") == "gzip" else raw

    @cached_property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.content or b"{}"))

    @cached_property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.content.decode(), keep_blank_values=True).items()}

    @cached_property
    def asked(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.query, keep_blank_values=True).items()}

    @property
    def operation(self) -> str:
        """The operation, for services that name it in a header, the path or the form."""
        target = self.headers.get("x_amz_target", "")
        if target:
            return target.split(".")[-1]
        if "/operation/" in self.path:
            return self.path.rsplit("/", 1)[-1]
        return self.form.get("Action", "")

    def arn(self, rest: str) -> str:
        return f"arn:aws:{self.service}:{self.region}:{ACCOUNT}:{rest}"


def read(lines: Iterable[str], role_of: Callable[[str], str | None]) -> list[Call]:
    """Read a recording's lines; `role_of` says which role each name stands for, those of None are left out."""
    found: dict[Call, None] = {}
    tags: dict[str, Mapping[str, str]] = {}
    for line in lines:
        told = json.loads(line)
        if "by" in told:  # of a service: resource_policies.py
            continue
        request = Request(**told)
        if request.answer:
            tags[json.loads(base64.b64decode(request.answer))["jobId"]] = request.json.get("tags") or {}
        if role := role_of(request.key):
            found.update(dict.fromkeys(meant(role, replace(request, tags=tags.get(_job_id(request), {})))))
    return list(found)


def _job_id(request: Request) -> str:
    return str(request.json.get("jobId")) if request.service == "batch" else ""


def meant(role: str, request: Request) -> Iterator[Call]:
    """Return what IAM would be asked about a request; KeyError for a service that nobody thought of."""
    for action, resource, context in SERVICES[request.service](request):
        yield Call(role, action, resource, tuple(sorted(_pairs(context))))


def _pairs(context: Mapping[str, str | list[str]]) -> Iterator[tuple[str, str]]:
    for key, values in context.items():
        yield from ((key, value) for value in ([values] if isinstance(values, str) else values))


def s3(request: Request) -> Meant:
    bucket, _, key = unquote(request.path).lstrip("/").partition("/")
    arn = f"arn:aws:s3:::{bucket}"
    if not key:
        versions = "versions" in request.asked
        action = {"GET": "ListBucketVersions" if versions else "ListBucket", "HEAD": "ListBucket"}[request.method]
        yield f"s3:{action}", arn, {"s3:prefix": request.asked["prefix"]} if "prefix" in request.asked else {}
        return
    if source := request.headers.get("x_amz_copy_source"):
        path, _, version = source.partition("?versionId=")
        yield f"s3:GetObject{'Version' if version else ''}", f"arn:aws:s3:::{unquote(path).lstrip('/')}", {}
    if request.method in {"GET", "HEAD"}:
        yield f"s3:GetObject{'Version' if 'versionId' in request.asked else ''}", f"{arn}/{key}", {}
        if request.status == HTTPStatus.NOT_FOUND:
            # Whoever may not list is answered 403 for what isn't there; a limit to a prefix is held to the key:
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, https://github.com/ceph/ceph/pull/68577
            yield "s3:ListBucket", arn, {"s3:prefix": key}
    elif request.method == "DELETE":
        yield ("s3:AbortMultipartUpload" if "uploadId" in request.asked else "s3:DeleteObject"), f"{arn}/{key}", {}
    else:
        yield "s3:PutObject", f"{arn}/{key}", {}


def dynamodb(request: Request) -> Meant:
    asked = request.json
    if request.operation == "TransactWriteItems":
        names = {
            "Put": "PutItem",
            "Update": "UpdateItem",
            "Delete": "DeleteItem",
            "ConditionCheck": "ConditionCheckItem",
        }
        for item in asked["TransactItems"]:
            for kind, what in item.items():
                keys = [what.get("Key") or what["Item"]]
                yield f"dynamodb:{names[kind]}", request.arn(f"table/{what['TableName']}"), _leading_keys(keys)
    elif "RequestItems" in asked:
        for table, wanted in asked["RequestItems"].items():
            context = _leading_keys(wanted.get("Keys", []))
            yield f"dynamodb:{request.operation}", request.arn(f"table/{table}"), context
    else:
        index = f"/index/{asked['IndexName']}" if "IndexName" in asked else ""
        keys = [asked[name] for name in ("Key", "Item") if name in asked]
        yield f"dynamodb:{request.operation}", request.arn(f"table/{asked['TableName']}{index}"), _leading_keys(keys)


def _leading_keys(keys: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html"""
    return {"dynamodb:LeadingKeys": list(dict.fromkeys(key["pk"]["S"] for key in keys))}


def sqs(request: Request) -> Meant:
    asked = request.json
    operation = {"DeleteMessageBatch": "DeleteMessage"}.get(request.operation, request.operation)
    queue = asked["QueueUrl"].rsplit("/", 1)[-1] if "QueueUrl" in asked else asked["QueueName"]
    yield f"sqs:{operation}", request.arn(queue), {}


def sns(request: Request) -> Meant:
    operation = {"PublishBatch": "Publish"}.get(request.operation, request.operation)
    yield f"sns:{operation}", request.form["TopicArn"], {}


def batch(request: Request) -> Meant:
    asked, operation = request.json, request.path.rsplit("/", 1)[-1]
    if operation == "submitjob":
        for of in (f"job-definition/{asked['jobDefinition']}", f"job-queue/{asked['jobQueue']}"):
            yield "batch:SubmitJob", request.arn(of), {}
            if tags := asked.get("tags"):
                yield "batch:TagResource", request.arn(of), _tags("Request", tags) | {"aws:TagKeys": list(tags)}
    elif operation in {"terminatejob", "canceljob"}:
        yield f"batch:{operation}", request.arn(f"job/{asked['jobId']}"), _tags("Resource", request.tags)
    else:
        yield f"batch:{operation}", "*", {}


def _tags(of: str, tags: Mapping[str, str]) -> dict[str, str | list[str]]:
    return {f"aws:{of}Tag/{name}": value for name, value in tags.items()}


def cloudwatch(request: Request) -> Meant:
    if request.operation == "PutMetricData":
        form = request.headers.get("content_type", "").startswith("application/x-www-form")
        namespace = (request.form if form else request.json)["Namespace"]
        yield "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": namespace}
    else:
        yield f"cloudwatch:{request.operation}", "*", {}


def logs(request: Request) -> Meant:
    asked = request.json
    stream = f":log-stream:{asked['logStreamName']}" if "logStreamName" in asked else ""
    yield f"logs:{request.operation}", request.arn(f"log-group:{asked['logGroupName']}{stream}"), {}


def sts(request: Request) -> Meant:
    # Everybody may ask who they are: no policy can forbid it.
    if request.operation != "GetCallerIdentity":
        yield f"sts:{request.operation}", "*", {}


SERVICES: Mapping[str, Callable[[Request], Meant]] = {
    "s3": s3,
    "dynamodb": dynamodb,
    "sqs": sqs,
    "sns": sns,
    "batch": batch,
    "monitoring": cloudwatch,
    "logs": logs,
    "sts": sts,
}
