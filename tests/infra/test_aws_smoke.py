"""`make aws-smoke` on a local AWS: what it tells, and that all of it is gone, however it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from aws import until
from aws_smoke import record
from filebatch_local.base import access
from filebatch_local.serve.background import LocalAws, local_aws
from infra.conftest import MANAGED_POLICIES
from infra.pretended import NOWHERE
from infra.terraform import ROOT, workspace

pytestmark = [pytest.mark.terraform, pytest.mark.airflow]

TOOLS = ":".join(str(ROOT / part) for part in ("infra/local", "plugins", "tools"))


@pytest.fixture(scope="module", autouse=True)
def _provider(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where Terraform or its provider can't be had."""
    workspace(tmp_path_factory.mktemp("provider"), NOWHERE, ROOT / "dags" / "feeds", {"res_prefix": "acme"}).init()


def started(records: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    environment = {**access.without_aws(os.environ), "PYTHONPATH": TOOLS, **more}
    command = [sys.executable, "-m", "aws_smoke", "--records", str(records), *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    told, _ = process.communicate(timeout=400)
    return process.returncode, told


def test_what_was_tried_passed_what_can_not_be_had_here_says_so_and_all_is_gone(tmp_path: Path) -> None:
    code, told = ended(started(tmp_path, "--local"))

    assert code == 0, told
    table = told.partition("outcome")[2].splitlines()
    outcomes = {line.partition("  ")[0].strip(): line for line in table if "  " in line}
    not_tried = {name for name, line in outcomes.items() if " not tried " in line}
    assert not_tried == {"image pushed", "alarm failed-files"}
    assert {name for name, line in outcomes.items() if " passed " in line} == {
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
        "destroyed",
    }
    assert "'a%b': as it is" in outcomes["keys in events"]
    assert record.left(tmp_path) == []


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(*MANAGED_POLICIES)
        with local_aws() as running:
            yield running


def connection(aws: LocalAws) -> Mapping[str, str]:
    return {**aws.credentials("terraform"), "AWS_ENDPOINT_URL": aws.endpoint, "AWS_REGION": aws.settings["region"]}


def at_work(process: subprocess.Popen[str], records: Path) -> psutil.Process:
    """Wait until Terraform has made something; return its process."""
    until(lambda: any("Creation complete" in log.read_text() for log in records.glob("*/terraform.log")), seconds=200)
    return next(each for each in psutil.Process(process.pid).children() if each.name() == "terraform")


def names(aws: LocalAws) -> list[str]:
    buckets = [each["Name"] for each in aws.client("s3").list_buckets()["Buckets"]]
    return [name for name in [*buckets, *aws.client("dynamodb").list_tables()["TableNames"]] if "smoke-" in name]


def test_what_a_signal_interrupts_is_destroyed(aws: LocalAws, tmp_path: Path) -> None:
    process = started(tmp_path, **connection(aws))
    at_work(process, tmp_path)
    process.send_signal(signal.SIGTERM)
    code, told = ended(process)

    assert code == 1
    assert "SignalError: SIGTERM" in told
    assert record.left(tmp_path) == [], told
    assert names(aws) == []


def test_what_was_left_by_one_that_was_killed_is_destroyed_later(aws: LocalAws, tmp_path: Path) -> None:
    process = started(tmp_path, **connection(aws))
    terraform = at_work(process, tmp_path)
    process.kill()
    process.communicate()
    assert len(record.left(tmp_path)) == 1
    terraform.send_signal(signal.SIGINT)  # it goes on alone otherwise, and the clean-up would wait for its end
    code, told = ended(started(tmp_path, "--clean-up", **connection(aws)))

    assert code == 0, told
    assert record.left(tmp_path) == [], told
    assert names(aws) == []
