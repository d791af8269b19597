"""A small clone to deploy from."""

import shutil
import time
import uuid
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import boto3
import pytest
from botocore.client import BaseClient

from aws import REGION, ROOT, connector
from deploy import __main__ as command
from deploy import deployments
from deploy.mwaa import Waiting
from deploy.places import Bucket
from deploy.terraform import NotLookedUpError
from filebatch_local.base.layout import Layout
from filebatch_local.serve.shell import environment as shell_of
from terraform_stand_in import Engine, StandIn

FAST = {"every": 0.05, "verify_every": 0.05, "verify_looks": 20}


class NoTerraform:
    """Terraform where there is none."""

    def outputs(self):
        raise NotLookedUpError("there is no terraform on the path")


@pytest.fixture
def clone(tmp_path, monkeypatch) -> Path:
    """A small clone: two modules of the library, the DAGs, the feeds; no Terraform, and a doctor who finds nothing."""
    root = tmp_path / "clone"
    for name in ("infra/environments", "dags", "worker"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".dockerignore", "infra/plugins-zip", "requirements.txt", "requirements/worker.txt"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    library = root / "plugins" / "filebatch" / "core"
    library.mkdir(parents=True)
    for folder in (library, library.parent):
        (folder / "__init__.py").write_text('"""One."""\n')
    monkeypatch.setattr(command, "ROOT", root)
    monkeypatch.setattr(command, "doctor", lambda arguments: 0)
    monkeypatch.setattr(command, "_infrastructure", lambda name: NoTerraform())
    monkeypatch.setattr(command, "_waiting", lambda: Waiting(time.sleep, lambda line: command._tell([line]), **FAST))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    return root


LOOKS = ("Get", "List", "Describe", "Head")


class World:
    """An environment's stand-ins, and the calls that change something."""

    def __init__(self, server, connect, clone, settings):
        self.server, self.connect, self.clone, self.calls, self.break_at = server, connect, clone, [], None
        self.terraform = StandIn(connect, clone, f"mwaa-{uuid.uuid4().hex[:12]}", settings)
        self.engine = Engine(connect)

    def called(self, operation, params):
        if operation.startswith(LOOKS) or params.get("Method") == "GET":
            return
        if len(self.calls) == self.break_at:
            raise KeyboardInterrupt
        self.calls.append((operation, params.get("Key") or params.get("Name")))

    def deploy(self, *arguments, ask=None):
        return command.main(["mwaa", *([] if ask else ["--yes"]), *arguments], ask=ask)

    @property
    def place(self):
        return Bucket(self.connect("s3"), self.terraform.name)

    def environment(self):
        return self.connect("mwaa").get_environment(Name=self.terraform.name)["Environment"]

    def changed(self):
        """Return what was called, but for the records of deployments."""
        return [each for each in self.calls if not str(each[1]).startswith("deployments/")]

    def add(self, file, text):
        target = self.clone / file
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)

    def taking_over(self):
        """Return the option that takes the lock of a deployment that was broken off."""
        there = self.terraform.name in [each["Name"] for each in self.connect("s3").list_buckets()["Buckets"]]
        holder = deployments.holder(self.place) if there else None
        return ["--take-over", holder] if holder else []

    @contextmanager
    def forgotten(self):
        self.calls.clear()
        yield self.calls


@pytest.fixture(scope="module")
def connect(server):
    """One session for all: each new one reads the services' models again."""
    return connector(server.endpoint, server.key)


@pytest.fixture(scope="module")
def session(server):
    return boto3.Session(*server.credentials().values(), region_name=REGION)


@pytest.fixture
def world(server, connect, session, clone, place, monkeypatch) -> World:
    made = World(server, connect, clone, asdict(place.settings()))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    for name, value in shell_of(Layout.here(), server.endpoint, server.settings, server.key).items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(command, "_infrastructure", lambda name: made.terraform)
    monkeypatch.setattr(command, "Docker", lambda root: made.engine)
    act = BaseClient._make_api_call

    def call(client, operation, params):
        made.called(operation, params)
        return act(client, operation, params)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return made
