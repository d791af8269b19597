"""A small clone to deploy from."""

import shutil
import time
from pathlib import Path

import boto3
import pytest

from aws import ROOT
from deploy import __main__ as command
from deploy.mwaa import Waiting
from deploy.terraform import NotLookedUpError

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
    for name in ("infra/plugins-zip", "requirements.txt", "requirements/worker.txt"):
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
