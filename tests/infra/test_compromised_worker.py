"""A worker container that does what it likes: what its role lets it reach is its own feed's, as docs/security.md says.

Every attempt is made of a local AWS, which lets jobs do anything, and judged by the policy that Terraform renders.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from filebatch_local.serve.background import LocalAws, local_aws
from golden import golden
from infra import judged, policies
from infra.policies import Call
from infra.terraform import ROOT

NEW, RESULTS, LEDGER = "filebatch-local-new-files", "filebatch-local-results", "filebatch-local-ledger"
OWN = {"pk": {"S": f"s3://{NEW}/tables/a.csv"}, "sk": {"S": "v1"}}
OTHERS = {"pk": {"S": f"s3://{NEW}/weather/a.csv"}, "sk": {"S": "v1"}}
CHANGE = {"TableName": LEDGER, "UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "x"}}}

Client = Callable[[str], Any]


class Worker:
    """Clients with the credentials of a job of the feed `tables`, and what was asked with them."""

    def __init__(self, aws: LocalAws, recording: Any) -> None:
        self._aws, self._recording = aws, recording
        self._client = cache(lambda service: aws.client(service, "filebatch-local-job-tables"))

    def does(self, attempt: Callable[[Client], object]) -> list[Call]:
        """Make an attempt; return what IAM would be asked, in the names of the policies' environment."""
        before = self._recording.stat().st_size if self._recording.exists() else 0
        with suppress(ClientError):  # what isn't there; whether it may be asked is another question
            attempt(self._client)
        with self._recording.open(encoding="utf-8") as lines:
            lines.seek(before)
            made = judged.made(lines, self._aws.settings)
        return [call for call in made if call.role == "job-tables"]


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    recording = tmp_path_factory.mktemp("recording") / "requests.jsonl"
    with local_aws(feeds_dir=ROOT / "dags" / "feeds", options=("--record", str(recording))) as aws:
        for bucket, key in (
            (NEW, "tables/a.csv"),
            (NEW, "weather/a.csv"),
            (RESULTS, "manifests/tables/c/round-1.units"),
        ):
            aws.client("s3").put_object(Bucket=bucket, Key=key, Body=b"a\n1\n")
        yield Worker(aws, recording)


def refused(calls: list[Call]) -> list[Call]:
    return policies.denied(golden("roles")["policies"]["job-tables"], calls)


ALLOWED: Mapping[str, Callable[[Client], object]] = {
    "reads a file": lambda aws: aws("s3").get_object(Bucket=NEW, Key="tables/a.csv", VersionId="null"),
    "finds a file gone": lambda aws: aws("s3").get_object(Bucket=NEW, Key="tables/gone.csv", VersionId="null"),
    "lists its files": lambda aws: aws("s3").list_objects_v2(Bucket=NEW, Prefix="tables/"),
    "lists its results": lambda aws: aws("s3").list_objects_v2(Bucket=RESULTS, Prefix="results/tables/2026/"),
    "reads a manifest": lambda aws: aws("s3").get_object(Bucket=RESULTS, Key="manifests/tables/c/round-1.units"),
    "writes a result": lambda aws: aws("s3").put_object(Bucket=RESULTS, Key="results/tables/x/_result.json"),
    "quarantines": lambda aws: aws("s3").put_object(Bucket=RESULTS, Key="quarantine/tables/x/file"),
    "moves a file": lambda aws: aws("dynamodb").update_item(Key=OWN, **CHANGE),
    "reads its items": lambda aws: aws("dynamodb").batch_get_item(RequestItems={LEDGER: {"Keys": [OWN]}}),
    "moves a run": lambda aws: aws("dynamodb").update_item(Key={"pk": {"S": "run#tables"}, "sk": {"S": "c"}}, **CHANGE),
    "publishes any metric of the environment": lambda aws: metric(aws, "filebatch/filebatch-local", "weather"),
}


def metric(aws: Client, namespace: str, feed: str) -> None:
    data = {"MetricName": "FilesFailed", "Value": 0, "Dimensions": [{"Name": "Feed", "Value": feed}]}
    aws("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[data])


@pytest.mark.parametrize("what", ALLOWED)
def test_what_it_can_reach(worker: Worker, what: str) -> None:
    made = worker.does(ALLOWED[what])
    assert made
    assert refused(made) == []


def s3(operation: str, bucket: str, key: str, **more: Any) -> Callable[[Client], object]:
    return lambda aws: getattr(aws("s3"), operation)(Bucket=bucket, Key=key, **more)


def listing(bucket: str, **more: Any) -> Callable[[Client], object]:
    return lambda aws: aws("s3").list_objects_v2(Bucket=bucket, **more)


def item(operation: str, key: Any, **more: Any) -> Callable[[Client], object]:
    return lambda aws: getattr(aws("dynamodb"), operation)(TableName=LEDGER, Key=key, **more)


def update(pk: str) -> Callable[[Client], object]:
    return lambda aws: aws("dynamodb").update_item(Key={"pk": {"S": pk}, "sk": {"S": "x"}}, **CHANGE)


ATTACKS: Mapping[str, Callable[[Client], object]] = {
    "another feed's file": s3("get_object", NEW, "weather/a.csv"),
    "a version of another feed's file": s3("get_object", NEW, "weather/a.csv", VersionId="null"),
    "another feed's file by copy": s3(
        "copy_object",
        RESULTS,
        "results/tables/x",
        CopySource={"Bucket": NEW, "Key": "weather/a.csv", "VersionId": "null"},
    ),
    "whether another feed's file is there": s3("head_object", NEW, "weather/none.csv"),
    "a file of a prefix that begins alike": s3("get_object", NEW, "tables-old/a.csv", VersionId="null"),
    "overwrite its own file": s3("put_object", NEW, "tables/a.csv"),
    "overwrite another feed's file": s3("put_object", NEW, "weather/a.csv"),
    "delete its own file": s3("delete_object", NEW, "tables/a.csv"),
    "names of all files": listing(NEW),
    "names of another feed's files": listing(NEW, Prefix="weather/"),
    "names of all results": listing(RESULTS, Prefix="results/"),
    "names of what lies in quarantine": listing(RESULTS, Prefix="quarantine/tables/"),
    "versions of its own files": lambda aws: aws("s3").list_object_versions(Bucket=NEW, Prefix="tables/"),
    "another feed's result": s3("get_object", RESULTS, "results/weather/x/_result.json"),
    "forge another feed's result": s3("put_object", RESULTS, "results/weather/x/_result.json", IfNoneMatch="*"),
    "upload in parts to another feed": s3("create_multipart_upload", RESULTS, "results/weather/x/big"),
    "another feed's quarantine": s3("put_object", RESULTS, "quarantine/weather/x/file"),
    "what is in its own quarantine": s3("get_object", RESULTS, "quarantine/tables/x/file"),
    "another feed's manifest": s3("get_object", RESULTS, "manifests/weather/c/round-1.units"),
    "its own manifest": s3("put_object", RESULTS, "manifests/tables/c/round-1.units"),
    "delete its own result": s3("delete_object", RESULTS, "results/tables/x/_result.json"),
    "a result beside all feeds'": s3("put_object", RESULTS, "results/x"),
    "another feed's item": item("get_item", OTHERS),
    "another feed's item among its own": lambda aws: aws("dynamodb").batch_get_item(
        RequestItems={LEDGER: {"Keys": [OWN, OTHERS]}}
    ),
    "move another feed's file": lambda aws: aws("dynamodb").update_item(Key=OTHERS, **CHANGE),
    "move another feed's file in a transaction": lambda aws: aws("dynamodb").transact_write_items(
        TransactItems=[{"Update": {"Key": each, **CHANGE}} for each in (OTHERS, OWN)]
    ),
    "another feed's run": update("run#weather"),
    "a run of a feed that is called alike": update("run#tables-old"),
    "its own bell": update("feed#tables"),
    "a file of another bucket": update("s3://filebatch-local-new-files-old/tables/a.csv"),
    "a new item": lambda aws: aws("dynamodb").put_item(TableName=LEDGER, Item=OWN),
    "delete its own item": item("delete_item", OWN),
    "all items": lambda aws: aws("dynamodb").scan(TableName=LEDGER),
    "what waits": lambda aws: aws("dynamodb").query(
        TableName=LEDGER,
        IndexName="open",
        KeyConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "open"},
        ExpressionAttributeValues={":o": {"S": "file#tables"}},
    ),
    "metrics of another environment": lambda aws: metric(aws, "filebatch/filebatch-prod", "tables"),
    "metrics of another application": lambda aws: metric(aws, "AWS/SQS", "tables"),
    "read metrics": lambda aws: aws("cloudwatch").describe_alarms(),
    "submit a job": lambda aws: aws("batch").submit_job(
        jobName="x", jobQueue="filebatch-local-jobs", jobDefinition="filebatch-local-tables", shareIdentifier="tables"
    ),
    "end a job": lambda aws: aws("batch").terminate_job(jobId="x", reason="x"),
    "jobs of others": lambda aws: aws("batch").describe_jobs(jobs=["x"]),
    "its own arrivals": lambda aws: aws("sqs").receive_message(
        QueueUrl=aws("sqs").meta.endpoint_url + "/123456789012/filebatch-local-tables"
    ),
    "tell everybody": lambda aws: aws("sns").publish(
        TopicArn="arn:aws:sns:eu-west-1:123456789012:filebatch-local-stakeholders", Message="x"
    ),
    "another role": lambda aws: aws("sts").assume_role(
        RoleArn="arn:aws:iam::123456789012:role/filebatch-local-job-weather", RoleSessionName="session"
    ),
    "logs": lambda aws: aws("logs").filter_log_events(logGroupName="filebatch-local-batch-jobs"),
}


@pytest.mark.parametrize("what", ATTACKS)
def test_what_it_cannot_reach(worker: Worker, what: str) -> None:
    made = worker.does(ATTACKS[what])
    assert refused(made[:1]), f"a worker of tables can reach {what}"


@pytest.mark.parametrize("action", ["BatchGetItem", "GetItem", "UpdateItem"])
def test_a_request_of_which_dynamodb_tells_no_keys_is_refused(action: str) -> None:
    table = f"arn:aws:dynamodb:eu-west-1:123456789012:table/{golden('roles')['names']['dynamodb ledger']}"
    assert refused([Call("job-tables", f"dynamodb:{action}", table)])


def test_the_page_says_all_that_it_may() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"## Worker containers\n(.*?)\n## ", page, re.DOTALL)
    said = set(re.findall(r"^\| `([\w:, ]+)` \| `([^|]+)` \|", section, re.MULTILINE))
    assert said == {named(each) for each in golden("roles")["policies"]["job-tables"]}


def named(statement: Mapping[str, Any]) -> tuple[str, str]:
    """Return what a statement allows, and on what, in the words of the page."""
    actions = ", ".join(policies.listed(statement["Action"]))
    limits = [
        value
        for operator, keys in statement.get("Condition", {}).items()
        if operator != "Null"
        for values in keys.values()
        for value in policies.listed(values)
    ]
    rest = re.sub(r"^arn:aws:\w+:.*?:.*?:(table/)?", "", statement["Resource"])
    where = ": ".join([rest, ", ".join(limits)] if limits else [rest])
    names = golden("roles")["names"]
    for name, stands_for in {
        names["s3 new_files"]: "NEW",
        names["s3 results"]: "RESULTS",
        names["dynamodb ledger"]: "LEDGER",
        names["cloudwatch namespace"]: "NAMESPACE",
        "s3://NEW/tables/": "s3://NEW/PREFIX",
        "NEW/tables/": "NEW/PREFIX",
        "NEW: tables/": "NEW: PREFIX",
        "tables": "FEED",
    }.items():
        where = where.replace(name, stands_for)
    return actions, where
