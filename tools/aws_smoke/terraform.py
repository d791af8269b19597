"""A copy of the root module with feeds of its own, and Terraform in it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_smoke import programs
from deploy import terraform
from deploy.terraform import PARALLEL

ROOT = Path(__file__).parents[2]

# For a local AWS, where buckets are no host names and nobody asks who signs.
LOCAL_PROVIDER = """
provider "aws" {
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}
"""


def copy(folder: Path, feeds: Path, variables: Mapping[str, Any], *, local: bool) -> Path:
    """Copy the root module and what it reads beside it; return where Terraform is run."""
    infra = folder / "infra"
    shutil.copytree(ROOT / "infra" / "modules", infra / "modules")
    shutil.copytree(ROOT / "infra" / "documents", infra / "documents")
    for file in (ROOT / "infra").glob("*.tf"):
        shutil.copy(file, infra)
    if local:
        (infra / "override.tf").write_text(LOCAL_PROVIDER, encoding="utf-8")
    for file in (ROOT / "plugins" / "filebatch").rglob("*.json"):
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    (folder / "worker").mkdir()
    shutil.copy(ROOT / "worker" / "Dockerfile", folder / "worker")
    shutil.copytree(feeds, folder / "feeds")
    (infra / "terraform.tfvars.json").write_text(json.dumps({"feeds_dir": "../feeds", **variables}), encoding="utf-8")
    return infra


def environment(connection: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of Terraform's process, whose output goes to a log."""
    plain = {f"TF_CLI_ARGS_{command}": "-no-color" for command in ("init", "plan", "apply", "destroy")}
    return {**terraform.environment(connection), **plain}


@dataclass(frozen=True)
class Terraform:
    """Terraform in a copy of the root module; what it says goes to a log."""

    infra: Path

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.infra.parent / "terraform.log"

    def apply(self) -> dict[str, Any]:
        """Make all of it; return the outputs."""
        self._must("init", *terraform.init_options(ROOT))
        self._must("apply", "-auto-approve", "-input=false", PARALLEL)
        told = subprocess.run(
            ["terraform", "output", "-json"],  # noqa: S607 - whichever is on the path, as for people
            cwd=self.infra,
            env=environment({}),
            capture_output=True,
            check=True,
        )
        return {name: output["value"] for name, output in json.loads(told.stdout).items()}

    def destroy(self) -> None:
        """Destroy all that its state knows; where it never came to a state there is nothing."""
        if (self.infra / ".terraform").exists() and any(self.infra.glob("terraform.tfstate*")):
            self._must("destroy", "-auto-approve", "-input=false", "-lock-timeout=10m", PARALLEL)

    def _must(self, *arguments: str) -> None:
        # Never interrupted: it would give up requests that AWS has got, and not know what they have made.
        programs.must(("terraform", *arguments), self.infra, environment({}), self.log, finish=True)
