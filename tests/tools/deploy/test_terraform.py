"""Terraform's process: what is made up here is the program alone; tests/infra runs the real one."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aws import ROOT, until
from deploy.terraform import NotLookedUpError, Terraform, init_options

# As Terraform does, it ends what it is at when it is interrupted, and writes down what it has made.
PROGRAM = """#!/bin/sh
case "$*" in *apply*) ;; *) exit 0 ;; esac
trap 'sleep 1; echo written >>"$CALLS"; exit 1' INT
echo applies >>"$CALLS"
while :; do sleep 0.1; done
"""
APPLY = """
import sys
from pathlib import Path
from deploy.terraform import Terraform
Terraform(Path(sys.argv[1]), "one").apply({})
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    infra = tmp_path / "infra"
    (infra / "environments").mkdir(parents=True)
    for name in ("provider-mirror", "provider-mirror.sha256"):
        shutil.copy(ROOT / "infra" / name, infra / name)
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o700)
    return tmp_path


def test_a_ctrl_c_lets_terraform_write_down_what_it_has_made(clone):
    """A terminal sends it to all programs in front."""
    calls = clone / "calls"
    env = {
        **os.environ,
        "CALLS": str(calls),
        "PATH": f"{clone / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'tools'}:{ROOT / 'plugins'}",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", APPLY, str(clone)], env=env, stderr=subprocess.DEVNULL, start_new_session=True
    )
    until(calls.exists)
    os.killpg(process.pid, signal.SIGINT)

    assert process.wait(timeout=60) == -signal.SIGINT
    assert calls.read_text().split() == ["applies", "written"]


def test_a_mirror_that_is_refused_is_told_with_the_reason(clone, monkeypatch):
    monkeypatch.setenv("TF_PLUGIN_DIR", str(clone / "none"))
    monkeypatch.setenv("PATH", f"{clone / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(
        NotLookedUpError, match=r"mirror of Terraform's provider refused: .*expected registry\.terraform\.io"
    ):
        Terraform(clone, "one").outputs()


def test_without_a_mirror_terraform_looks_for_the_provider_itself(clone):
    (clone / "infra" / "provider-mirror").write_text("#!/bin/sh\n")
    assert init_options(clone) == ["-input=false"]
