"""`make aws-smoke` on a local AWS: what it tells; killed while it destroys, it leaves what a later one destroys."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aws_smoke import record
from filebatch_local.base import access
from filebatch_local.base.layout import WORKER_IMAGE, Layout
from filebatch_local.batch.images import of_repository
from filebatch_local.serve.background import LocalAws, local_aws
from infra import calls
from infra.applied import REGION
from infra.conftest import MANAGED_POLICIES
from infra.pretended import NOWHERE
from infra.terraform import ROOT, workspace

pytestmark = [pytest.mark.terraform, pytest.mark.airflow]

PREFIX = "smoke-test"
IMAGE = f"{calls.ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{PREFIX}-registry-worker:0.1.0"
TRIED = {
    "terraform apply",
    "run fails, as a file does",
    "file good: SUCCEEDED",
    "file invalid: INVALID",
    "file fails: FAILED",
    "result of good",
    "notification to developers",
    "notification to stakeholders",
    "metrics",
    "keys in events",
    "what it cost",
}


def started(aws: LocalAws, records: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {
        **access.without_aws(os.environ),
        **aws.credentials("terraform"),
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_REGION": REGION,
        "PYTHONPATH": ":".join(str(ROOT / part) for part in ("infra/local", "plugins", "tools")),
    }
    command = [sys.executable, "-m", "aws_smoke", "--records", str(records), *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def outcomes(told: list[str], outcome: str) -> set[str]:
    """Return what came to this outcome, of lines such as `passed: metrics  {…}`."""
    of_it = (line.removeprefix(f"{outcome}: ") for line in told if line.startswith(f"{outcome}: "))
    return {line.partition("  ")[0].strip() for line in of_it}


def of_the_environment(aws: LocalAws) -> list[str]:
    buckets = [each["Name"] for each in aws.client("s3").list_buckets()["Buckets"]]
    queues = aws.client("sqs").list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", [])
    tables = aws.client("dynamodb").list_tables()["TableNames"]
    return [*queues, *(name for name in (*buckets, *tables) if name.startswith(PREFIX))]


def test_all_is_tried_or_said_not_to_be_and_destroyed_though_it_was_killed(tmp_path: Path) -> None:
    workspace(tmp_path / "any", NOWHERE, ROOT / "dags" / "feeds", {"res_prefix": "acme"}).init()  # skips without it
    records = tmp_path / "records"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(*MANAGED_POLICIES)
        with local_aws(images={IMAGE: of_repository(Layout.here())[WORKER_IMAGE]}) as aws:
            process, told = started(aws, records, "--prefix", PREFIX), []
            for line in process.stdout or ():
                told.append(line.rstrip())
                if line.startswith("destroying"):
                    process.kill()
            process.wait()

            assert outcomes(told, "passed") == TRIED, "\n".join(told)
            assert outcomes(told, "not tried") == {"image pushed", "alarm failed-files"}
            assert any("'a%b': as it is" in line for line in told)
            assert [begun.prefix for _, begun in record.left(records)] == [PREFIX]

            later = started(aws, records, "--clean-up")
            said, _ = later.communicate(timeout=900)
            assert (later.returncode, outcomes(said.splitlines(), "passed")) == (0, {"destroyed"}), said
            assert record.left(records) == []
            assert of_the_environment(aws) == []
