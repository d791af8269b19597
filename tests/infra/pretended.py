"""Terraform for a folder of feeds, with the mocks of its own tests instead of an AWS."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filebatch_local.serve.background import LocalAws
from infra.terraform import ROOT, Workspace, workspace

NOWHERE = LocalAws(pid=0, endpoint="http://127.0.0.1:1", settings={}, key="none")
MOCKS = (ROOT / "infra" / "tests" / "root.tftest.hcl").read_text(encoding="utf-8").split("\nvariables {")[0]
RENDER = 'variables {\n  res_prefix = "acme"\n}\n\nrun "all" {\n}\n'
PROBE = 'module "feeds" {\n  source = "../modules/feeds"\n  folder = "../../feeds"\n}\n'


def terraform(feeds: Path, folder: Path) -> Workspace:
    """Return a workspace for a folder of feeds, with Terraform's own tests' mocks instead of an AWS."""
    made = workspace(folder, NOWHERE, feeds, {"res_prefix": "acme"})
    (made.folder / "tests").mkdir()
    (made.folder / "tests" / "render.tftest.hcl").write_text(f"{MOCKS}\n{RENDER}", encoding="utf-8")
    probe = made.folder / "probe"
    probe.mkdir()
    (probe / "main.tf").write_text(PROBE, encoding="utf-8")
    return made


def answers(made: Workspace, folder: str, *arguments: str) -> Iterator[dict[str, Any]]:
    """Run Terraform and return what it says in JSON."""
    ended = subprocess.run(
        ["terraform", *arguments],
        cwd=made.folder / folder,
        env=made.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    return (json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{"))


def made_by_terraform(feeds: Path, folder: Path) -> dict[str, Any]:
    """Return address => values of what the whole would make for a folder of feeds, and its outputs."""
    made = terraform(feeds, folder)
    made.init()
    said = list(answers(made, ".", "test", "-json", "-verbose"))
    states = [each["test_state"] for each in said if each["type"] == "test_state"]
    assert states, [each for each in said if each.get("@level") == "error"]
    found = {each["address"]: each["values"] for each in resources(states[0]["root_module"])}
    return {**found, "outputs": {name: each["value"] for name, each in states[0]["outputs"].items()}}


def resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)
