"""docs/deploy.md, followed: its commands against the local AWS, where MWAA conducts and jobs really run."""

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from aws import ROOT, connector, until
from deploy import __main__ as command
from deploy import deployments
from deploy.mwaa import Waiting
from deploy.places import Bucket
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord
from filebatch_local.base.layout import Layout
from filebatch_local.serve.background import LocalAws, local_aws
from filebatch_local.serve.shell import environment
from terraform_stand_in import Engine, StandIn

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
PATIENT = Waiting(lambda _: time.sleep(1), lambda line: command._tell([line]), verify_looks=300)


@pytest.fixture
def server(clone: Path) -> Iterator[LocalAws]:
    (clone / "tools" / "deploy").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "deploy" / "canary.yaml", clone / "tools" / "deploy")
    with local_aws(feeds_dir=clone / "dags" / "feeds", options=("--mwaa-takes", "0.2")) as running:
        yield running


@pytest.fixture
def follow(server, clone, monkeypatch):
    """Do a command of the page in the clone: Terraform and Docker are stand-ins, all else is what it is."""
    connect = connector(server.endpoint, server.key)
    terraform = StandIn(connect, clone, "prod-mwaa", server.settings, made=server.provision)
    variables = environment(Layout.here(), server.endpoint, server.settings, server.key)
    for name, value in variables.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr(command, "_infrastructure", lambda name: terraform)
    monkeypatch.setattr(command, "Docker", lambda root: Engine(connect))
    monkeypatch.setattr(command, "_waiting", lambda: PATIENT)
    path = f"{ROOT / 'infra' / 'local' / 'bin'}:{os.environ['PATH']}:{ROOT / '.venv-cli' / 'bin'}"

    def do(line: str) -> None:
        if line.startswith("make "):
            assert command.main(as_make_calls_it(line)) == 0, line
        else:
            subprocess.run(["bash", "-ec", line], cwd=clone, env={**os.environ, "PATH": path}, check=True)

    return do


def as_make_calls_it(line: str) -> list[str]:
    """Return what `make` gives `python -m deploy` for a command of the page."""
    env = {**os.environ, "MAKEFLAGS": ""}
    arguments = ["make", "--no-print-directory", "--dry-run", *shlex.split(line)[1:]]
    said = subprocess.run(arguments, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout
    (found,) = re.findall(r" -m deploy (.*)", said)
    return shlex.split(found)


def test_the_page_ends_with_processed_files_and_nothing_left(server, clone, follow, capsys):
    until_destroyed = COMMANDS[: next(at for at, line in enumerate(COMMANDS) if line.startswith("make destroy"))]
    for line in until_destroyed:
        follow(line)

    said = capsys.readouterr().out
    assert "verified: DAGs without import errors, settings as Terraform says" in said
    ledger = Ledger(server.client("dynamodb"), server.settings["ledger"])
    files = {each.key: str(each.state) for each in ledger.scan() if isinstance(each, FileRecord)}
    assert files == {"canary/deployment-000001.csv": "SUCCEEDED"}  # the later ones have the same code
    assert said.count("the same plugins, DAGs and image did one for the deployment before") == 3
    place = Bucket(server.client("s3"), "prod-mwaa")
    records = deployments.recorded(place)
    assert [(each.finished, each.verified) for each in records] == [(True, True)] * 4
    # The rollback, and the last one, which takes the protection away, bring what the clone had then.
    assert ["dags/feeds/orders.yaml" in each.files for each in records] == [False, True, False, True]

    follow(COMMANDS[len(until_destroyed)])
    until(lambda: server.client("mwaa").list_environments()["Environments"] == [])
    assert "destroyed: prod" in capsys.readouterr().out


def test_the_page_has_each_way_to_deploy():
    for option in (
        "--dry-run",
        "--yes",
        "--rollback",
        "--files-only",
        "--settings",
        "--without",
        "--take-over",
        "IMAGE=",
    ):
        assert option in PAGE
    assert {line.split()[1] for line in COMMANDS if line.startswith("make ")} == {"deploy", "destroy"}
