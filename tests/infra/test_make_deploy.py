"""`make deploy` as people call it, with Terraform and its AWS provider as they are: to MWAA of the local AWS, and back.

The engine alone is a stand-in, as nothing can be pushed to a registry of AWS's name: tests/tools/deploy/test_push.py
pushes to a registry. What the other ways of a deployment do is in tests/tools/deploy, where Terraform is a stand-in.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aws_smoke.terraform import LOCAL_PROVIDER
from deploy import deployments, images
from deploy.places import Bucket
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord
from filebatch.feeds.feed import load_feeds
from filebatch_local.base import access
from filebatch_local.base.layout import WORKER_IMAGE, Layout
from filebatch_local.batch.images import of_repository
from filebatch_local.serve.background import LocalAws, local_aws
from filebatch_local.serve.shell import environment
from infra import calls
from infra.applied import REGION
from infra.conftest import MANAGED_POLICIES
from infra.pretended import NOWHERE
from infra.proxy import to_mwaa
from infra.terraform import ROOT, workspace

pytestmark = [pytest.mark.terraform, pytest.mark.airflow]

PREFIX = "deployed"
NAME = f"{PREFIX}-mwaa-airflow"
ENVIRONMENT = f"""
res_prefix          = "{PREFIX}"
region              = "{REGION}"
deletion_protection = false
mwaa                = {{ plugins_zip = "build/plugins.zip" }}
network             = {{ egress = "nat", single_nat = true }}
"""
NEW = "description: Orders.\nprefix: orders/\nstart: 2026-01-01\nprocessor: tabular\n"
LOOKS = ("Get", "List", "Describe", "Head", "BatchGet", "Query", "Scan", "/v1/describe", "/v1/list")
WHO = "deployer"  # not the canary's run, which may not have ended yet

PATHS = ("plugins", "infra/local", "tools", "tests")

# Docker whose engine answers, and which has in the local AWS's registry what it is to push.
DOCKER = f"""#!/bin/sh
case "$1" in
  login) cat >/dev/null ;;
  push) PYTHONPATH={":".join(str(ROOT / each) for each in PATHS)} exec {sys.executable} -c '
import sys, boto3, terraform_stand_in
terraform_stand_in.Engine(boto3.client).push(sys.argv[1], [], ("AWS", ""))' "$2" ;;
esac
"""


@dataclass
class Shell:
    """A clone, and the shell in which its `make` is called."""

    clone: Path
    aws: LocalAws
    recording: Path
    variables: dict[str, str]
    said: list[str] = field(default_factory=list)

    def make(self, *arguments: str, interrupt_at: str = "") -> int:
        """Call make; press Ctrl-C once a line with this text comes; return the exit code, keep what was said."""
        self.said.clear()
        with subprocess.Popen(
            [
                "env",
                "--default-signal=INT",
                "make",
                "--no-print-directory",
                *arguments,
            ],  # else ignored in the background
            cwd=self.clone,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        ) as process:
            for line in process.stdout or ():
                self.said.append(line.rstrip())
                sys.stdout.write(line)  # which pytest shows of a test that fails
                if interrupt_at and interrupt_at in line:
                    os.killpg(process.pid, signal.SIGINT)
                    interrupt_at = ""
        return process.returncode

    def has_said(self, text: str) -> bool:
        return any(text in line for line in self.said)

    def changing(self) -> list[str]:
        """Return what deployments have asked of AWS since the last look, but for what only looks."""
        lines = self.recording.read_text(encoding="utf-8").splitlines()
        self.recording.write_text("")
        asked = (calls.Request(**told) for told in map(json.loads, lines) if "by" not in told)
        ours = (each for each in asked if each.key == WHO and each.method not in {"GET", "HEAD"})
        named = [(each.operation or f"{each.method} {each.path}", each) for each in ours]
        return [f"{each.service} {name}" for name, each in named if not name.removeprefix("POST ").startswith(LOOKS)]

    def feed(self, name: str, text: str) -> None:
        (self.clone / "dags" / "feeds" / f"{name}.yaml").write_text(text, encoding="utf-8")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What git has of this clone, with an environment and the canary of docs/deploy.md; set up already."""
    root = tmp_path / "clone"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / ".local").mkdir()
    for made in (*ROOT.glob(".venv*"), ROOT / ".local" / "airflow"):
        (root / made.relative_to(ROOT)).symlink_to(made)
    (root / "infra" / "override.tf").write_text(LOCAL_PROVIDER)
    (root / "infra" / "environments" / "test.tfvars").write_text(ENVIRONMENT)
    shutil.copy(root / "tools" / "deploy" / "canary.yaml", root / "dags" / "feeds")
    return root


@pytest.fixture
def shell(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A local AWS that can run the image that is about to be pushed, and a shell in which it is the AWS there is."""
    workspace(tmp_path / "any", NOWHERE, ROOT / "dags" / "feeds", {"res_prefix": "acme"}).init()  # skips without it
    monkeypatch.setenv(*MANAGED_POLICIES)
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o700)
    tag = images.tag(clone, load_feeds(clone / "dags" / "feeds")[0])
    image = f"{calls.ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{PREFIX}-registry-worker:{tag}"
    runs = {image: of_repository(Layout.here())[WORKER_IMAGE]}
    recording = tmp_path / "requests.jsonl"
    with (
        local_aws(images=runs, options=("--mwaa-takes", "20", "--record", str(recording))) as aws,
        to_mwaa(aws.endpoint) as reached,
    ):
        ours = environment(Layout.here(), aws.endpoint, aws.settings, aws.key)
        variables = {
            **{name: value for name, value in access.without_aws(os.environ).items() if not name.startswith("MAKE")},
            **{name: value for name, value in ours.items() if name.startswith("AWS_")},
            **aws.credentials(WHO),
            **reached,
            "PATH": f"{docker.parent}:{os.environ['PATH']}",
        }
        yield Shell(clone, aws, recording, variables)


def test_from_nothing_to_a_processed_file_then_nothing_to_do_then_a_feed_then_nothing_left(shell: Shell) -> None:
    mwaa = shell.aws.client("mwaa")
    here = ("deploy", "ENV=test", "ARGS=--yes")

    assert shell.make(*here, interrupt_at="aws_mwaa_environment.this: Still creating") != 0
    assert shell.has_said("interrupted: Terraform still does all of what it has begun")
    assert mwaa.get_environment(Name=NAME)["Environment"]["Status"] == "AVAILABLE"

    assert shell.make(*here) == 0
    assert shell.has_said("infrastructure: nothing to change")
    assert shell.has_said("verified: DAGs without import errors, settings as Terraform says")
    made = mwaa.get_environment(Name=NAME)["Environment"]
    assert (made["Status"], made["DagS3Path"]) == ("AVAILABLE", "dags/")
    assert files(shell) == {"canary/deployment-000001.csv": "SUCCEEDED"}

    assert "airflow PUT /environments/" + NAME in shell.changing()
    assert shell.make(*here) == 0
    assert shell.has_said("nothing to do: all of it is there")
    assert shell.changing() == []

    shell.feed("orders", NEW)
    assert shell.make(*here) == 0
    changed = shell.changing()
    assert {"sqs CreateQueue", "batch POST /v1/registerjobdefinition"} <= set(changed)
    assert not [call for call in changed if call.startswith("airflow PATCH")]
    place = Bucket(shell.aws.client("s3"), made["SourceBucketArn"].rpartition(":")[2])
    assert [(each.finished, each.verified) for each in deployments.recorded(place)] == [(True, True)] * 2

    assert shell.make("destroy", "ENV=test", "ARGS=--yes") == 0
    assert mwaa.list_environments()["Environments"] == []


def files(shell: Shell) -> dict[str, str]:
    ledger = Ledger(shell.aws.client("dynamodb"), f"{PREFIX}-ledger-files")
    return {each.key: str(each.state) for each in ledger.scan() if isinstance(each, FileRecord)}
