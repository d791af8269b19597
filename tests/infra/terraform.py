"""Terraform in a folder of its own, against a local AWS."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aws_smoke import terraform
from deploy.terraform import PARALLEL, init_options
from filebatch_local.serve.background import LocalAws

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Workspace:
    """A copy of the root module, and the environment it is applied in."""

    folder: Path
    environment: Mapping[str, str]

    def init(self) -> None:
        """Initialise, or skip the test where the provider can't be had."""
        ended = self._run("init", *init_options(ROOT))
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
    infra = terraform.copy(folder, feeds, variables, local=True)
    connection = {**aws.credentials("terraform"), "AWS_ENDPOINT_URL": aws.endpoint}
    return Workspace(infra, terraform.environment(connection))
