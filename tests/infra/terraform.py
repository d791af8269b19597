"""Terraform in a folder of its own, against a local AWS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from filebatch_local.serve.background import LocalAws

ROOT = Path(__file__).parents[2]
PARALLEL = "-parallelism=30"  # nearly all of it is waiting

# Where buckets are no host names, and nobody asks who signs.
PROVIDER = """
provider "aws" {
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}
"""


@dataclass(frozen=True)
class Workspace:
    """A copy of the root module, and the environment it is applied in."""

    folder: Path
    environment: Mapping[str, str]

    def init(self) -> None:
        """Initialise, or skip the test where the provider can't be had."""
        mirror = subprocess.run([ROOT / "infra" / "provider-mirror"], stdout=subprocess.PIPE, text=True, check=True)
        options = [f"-plugin-dir={mirror.stdout.strip()}"] if mirror.stdout else []
        ended = self._run("init", "-input=false", *options)
        if ended.returncode:
            pytest.skip(f"the AWS provider can't be had (TF_PLUGIN_DIR names a folder with it): {ended.stdout[-500:]}")

    def apply(self, target: str | None = None) -> None:
        """Apply all of it, or one module with what that needs."""
        self._must("apply", "-auto-approve", PARALLEL, *([f"-target={target}"] if target else []))

    def changes(self) -> list[str]:
        """Return what a plan would change now, one line each; none where all is as written."""
        ended = self._run("plan", "-detailed-exitcode", PARALLEL)
        assert ended.returncode in {0, 2}, ended.stdout[-3000:]
        return (
            [line.strip() for line in ended.stdout.splitlines() if line.startswith("  # ")] if ended.returncode else []
        )

    def outputs(self) -> dict[str, Any]:
        return {name: output["value"] for name, output in json.loads(self._must("output", "-json")).items()}

    def destroy(self) -> None:
        self._must("destroy", "-auto-approve", "-refresh=false", PARALLEL)

    def resources(self) -> list[str]:
        return self._must("state", "list").split()

    def _must(self, *arguments: str) -> str:
        ended = self._run(*arguments)
        assert ended.returncode == 0, ended.stdout[-5000:]
        return ended.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=400,
        )


def workspace(folder: Path, aws: LocalAws, feeds: Path, variables: Mapping[str, Any]) -> Workspace:
    """Copy the root module and what it reads beside it; skip the test where there is no Terraform."""
    if not shutil.which("terraform"):
        pytest.skip("there is no terraform on the path")
    infra = folder / "infra"
    shutil.copytree(ROOT / "infra" / "modules", infra / "modules")
    shutil.copytree(ROOT / "infra" / "documents", infra / "documents")
    for file in (ROOT / "infra").glob("*.tf"):
        shutil.copy(file, infra)
    (infra / "override.tf").write_text(PROVIDER, encoding="utf-8")
    for file in (ROOT / "plugins" / "filebatch").rglob("*.json"):
        copy = folder / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    (folder / "worker").mkdir()
    shutil.copy(ROOT / "worker" / "Dockerfile", folder / "worker")
    shutil.copytree(feeds, folder / "feeds")
    (infra / "terraform.tfvars.json").write_text(json.dumps({"feeds_dir": "../feeds", **variables}), encoding="utf-8")
    connection = {**aws.credentials("terraform"), "AWS_ENDPOINT_URL": aws.endpoint}
    environment = {**os.environ, **connection, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    environment.update({f"TF_CLI_ARGS_{command}": "-no-color" for command in ("init", "plan", "apply", "destroy")})
    if not Path(environment.get("TF_CLI_CONFIG_FILE", "/")).exists():
        environment.pop("TF_CLI_CONFIG_FILE")
    return Workspace(infra, environment)
