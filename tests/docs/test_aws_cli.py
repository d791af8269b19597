"""Each `aws` command that the documents name is understood by the AWS CLI and answered by the local AWS."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from aws import REGION, ROOT, Place, feed_of
from filebatch_local.base.layout import Layout

DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "infra").glob("*.md"))]
DOCS += [ROOT / "infra" / "local" / "README.md"]
COMMAND = re.compile(r"(?:^|[`$(|\s])aws (?P<service>[a-z0-9]+) (?P<verb>[a-z][a-z0-9-]+)", re.MULTILINE)
COMMENT = re.compile(r"# .*")
CLI = ROOT / ".venv-cli" / "bin" / "aws"


def named(text: str) -> set[str]:
    """Return the commands in code: between backticks, or in a block of it."""
    blocks = re.findall(r"```.*?```", text, re.DOTALL)
    code = [*blocks, *re.findall(r"`[^`\n]+`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))]
    return {f"{found['service']} {found['verb']}" for part in code for found in COMMAND.finditer(COMMENT.sub("", part))}


WANTED = {command: file.relative_to(ROOT) for file in DOCS for command in named(file.read_text(encoding="utf-8"))}


class There:
    """What the commands are about: a bucket with a file, a ledger, a queue, a job, a log, a secret."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place = place
        self.file = folder / "a.csv"
        self.file.write_text("a,b\n1,2\n", encoding="utf-8")
        self.bucket, self.table = place.new_files, place.table
        self.version = place.put("orders/a.csv")
        place.arrive(self.version)
        self.queue = place.queue(feed_of())
        self.jobs = place.server.settings["job_queue"]
        self.job = place.run_job("cli", "echo said")["jobId"]
        place.connect("secretsmanager").create_secret(Name=f"{place.name}-settings", SecretString="{}")


def of_bucket(there: There) -> list[str]:
    return ["--bucket", there.bucket]


def of_queue(there: There) -> list[str]:
    return ["--queue-url", there.queue]


def waiting(there: There) -> list[str]:
    condition = ["--key-condition-expression", "#o = :o", "--expression-attribute-names", '{"#o": "open"}']
    values = ["--expression-attribute-values", '{":o": {"S": "file#orders"}}']
    return ["--table-name", there.table, "--index-name", "open", *condition, *values]


def item(there: There) -> list[str]:
    key = {"pk": {"S": there.version.uri}, "sk": {"S": there.version.version}}
    return ["--table-name", there.table, "--key", json.dumps(key)]


# Each command with what the documents give it.
COMMANDS: Mapping[str, Callable[[There], list[str]]] = {
    "s3 cp": lambda there: [str(there.file), f"s3://{there.bucket}/orders/b.csv"],
    "s3 ls": lambda there: ["--recursive", f"s3://{there.bucket}/"],
    "s3api create-bucket": lambda there: [
        *("--bucket", f"{there.place.name}-terraform"),
        *("--create-bucket-configuration", f"LocationConstraint={REGION}"),
    ],
    "s3api put-bucket-versioning": lambda there: [
        *of_bucket(there),
        *("--versioning-configuration", "Status=Enabled"),
    ],
    "s3api get-bucket-notification-configuration": of_bucket,
    "s3api put-bucket-notification-configuration": lambda there: [
        *of_bucket(there),
        *("--notification-configuration", '{"EventBridgeConfiguration": {}}'),
    ],
    "s3api get-bucket-versioning": of_bucket,
    "s3api list-object-versions": lambda there: [*of_bucket(there), "--prefix", "orders/"],
    "s3api list-objects-v2": lambda there: [*of_bucket(there), "--prefix", "orders/"],
    "dynamodb get-item": item,
    "dynamodb query": waiting,
    "batch list-jobs": lambda there: ["--job-queue", there.jobs, "--job-status", "SUCCEEDED"],
    "batch describe-jobs": lambda there: ["--jobs", there.job],
    "batch terminate-job": lambda there: ["--job-id", there.job, "--reason", "test"],
    "batch describe-compute-environments": lambda _: [],
    "logs filter-log-events": lambda _: ["--log-group-name", "/aws/batch/job", "--filter-pattern", "ERROR"],
    "secretsmanager get-secret-value": lambda there: ["--secret-id", f"{there.place.name}-settings"],
    "sqs get-queue-url": lambda there: ["--queue-name", there.queue.rsplit("/", 1)[-1]],
    "sqs get-queue-attributes": lambda there: [*of_queue(there), "--attribute-names", "All"],
    "sqs receive-message": lambda there: [*of_queue(there), "--max-number-of-messages", "10"],
    "sqs purge-queue": of_queue,
}


@pytest.fixture
def aws(place: Place) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Call the AWS CLI as a shell of `make env` does: by the small program that names the endpoint."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **place.server.credentials(),
        "AWS_ENDPOINT_URL": place.server.endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "PATH": f"{Layout.here().root / 'infra' / 'local' / 'bin'}:{os.environ['PATH']}:{CLI.parent}",
    }

    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["aws", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    return call


# MWAA is called at a host below the endpoint's, which an address has none of: tests/local/mwaa asks it by boto3.
ELSEWHERE = {"mwaa invoke-rest-api"}


def test_every_command_of_the_documents_is_tried() -> None:
    assert len(WANTED) > 15
    tried = COMMANDS.keys() | ELSEWHERE
    assert {command: file for command, file in WANTED.items() if command not in tried} == {}
    assert tried - WANTED.keys() == set(), "no document names these any more"


def test_the_local_aws_answers_each(place: Place, tmp_path: Path, aws) -> None:
    there = There(place, tmp_path)
    ended = {command: aws(*command.split(), *given(there)) for command, given in COMMANDS.items()}

    assert {command: each.stderr for command, each in ended.items() if each.returncode} == {}
    said = {command: json.loads(each.stdout) for command, each in ended.items() if each.stdout.startswith("{")}
    assert [each["key"]["S"] for each in said["dynamodb query"]["Items"]] == ["orders/a.csv"]
    assert said["dynamodb get-item"]["Item"]["state"]["S"] == "ARRIVED"
    assert said["batch describe-jobs"]["jobs"][0]["status"] == "SUCCEEDED"
    versions = said["s3api list-object-versions"]["Versions"]
    assert [each["Key"] for each in versions] == ["orders/a.csv", "orders/b.csv"]
    assert said["s3api get-bucket-notification-configuration"] == {"EventBridgeConfiguration": {}}
    assert "orders/b.csv" in ended["s3 ls"].stdout
    assert said["sqs receive-message"]["Messages"]
