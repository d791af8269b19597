"""The workflow for GitHub, run dry: its commands with what GitHub would give them, `make` without doing anything.

`infra/check` has it linted.
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy import images
from deploy.__main__ import _parsed

ROOT = Path(__file__).parents[2]
FILE = ROOT / "infra" / "github-workflow.yml"
WORKFLOW = yaml.safe_load(FILE.read_text(encoding="utf-8"))
STEPS = [(name, step["run"]) for name, job in WORKFLOW["jobs"].items() for step in job["steps"] if "run" in step]
MAKE = '#!/bin/sh\nexec /usr/bin/env PATH="$REAL_PATH" make --no-print-directory --dry-run -C "$ROOT" "$@"\n'
PIPX = '#!/bin/sh\necho pipx "$@"\n'


@pytest.fixture
def run_dry(tmp_path):
    """Run a step's script as GitHub does, with a `make` that only says what it would do."""
    for name, text in (("make", MAKE), ("pipx", PIPX)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    def run(script: str, arguments: str = "") -> str:
        env = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "REAL_PATH": os.environ["PATH"],
            "ROOT": str(ROOT),
            "ENVIRONMENT": "mwaa",
            "ARGUMENTS": arguments,
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        }
        # https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
        command = ["bash", "-e", "-c", script]
        ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def deployed(said: str) -> object:
    """Return what `python -m deploy` would be told."""
    (line,) = [line for line in said.splitlines() if " -m deploy " in line]
    return _parsed(shlex.split(line.partition(" -m deploy ")[2]))


@pytest.mark.parametrize(("job", "script"), STEPS)
def test_every_step_is_a_command_that_is_there(run_dry, job, script) -> None:
    assert run_dry(script)


@pytest.mark.parametrize("arguments", ["", "--files-only"])
def test_a_pull_request_is_planned_and_what_is_merged_is_deployed(run_dry, arguments) -> None:
    scripts = dict(STEPS)
    plan, deploy = (deployed(run_dry(scripts[job], arguments)) for job in ("plan", "deploy"))
    assert (plan.environment, plan.dry_run, plan.yes) == ("mwaa", True, False)
    assert (deploy.environment, deploy.dry_run, deploy.yes) == ("mwaa", False, True)
    assert plan.files_only == deploy.files_only == bool(arguments)


def test_what_is_installed_is_audited(run_dry) -> None:
    audited = re.findall(r"--requirement (\S+)", dict(STEPS)["check"])
    assert audited == ["requirements/worker.txt", "requirements/airflow-3.2.1.txt"]
    assert all((ROOT / file).is_file() for file in audited)


def test_only_what_is_merged_gets_the_role_that_deploys() -> None:
    jobs = WORKFLOW["jobs"]
    assert WORKFLOW["permissions"] == {}
    assert {name for name, job in jobs.items() if "FILEBATCH_ROLE" in str(job)} == {"deploy"}
    assert {name for name, job in jobs.items() if job["permissions"].get("id-token")} == {"plan", "deploy"}
    assert jobs["deploy"]["if"] == "github.event_name == 'push'"
    assert WORKFLOW[True]["push"] == {"branches": ["main"]}  # YAML 1.1 reads `on` as true


def test_an_image_can_be_built_for_every_kind_of_processor() -> None:
    steps = [step.get("uses", step.get("name", "")).partition("@")[0] for step in WORKFLOW["jobs"]["deploy"]["steps"]]
    emulation = WORKFLOW["jobs"]["deploy"]["steps"][steps.index("docker/setup-qemu-action")]["with"]["platforms"]
    others = {platform for platform in images.PLATFORMS.values() if platform != "linux/amd64"}
    assert {f"linux/{each}" for each in emulation.split(",")} == others
    assert steps.index("docker/setup-buildx-action") < steps.index("deploy")


def test_every_variable_is_explained() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert set(re.findall(r"vars\.(\w+)", text)) == set(re.findall(r"^#   (FILEBATCH_\w+) ", text, re.MULTILINE))
