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
trap 'echo cut off >>"$CALLS"; exit 1' INT
echo applies >>"$CALLS"
until [ -e "$CALLS.made" ]; do sleep 0.1; done
echo made >>"$CALLS"
"""
# As a terminal starts programs, which heed a Ctrl-C; what runs in the background has it ignored.
APPLY = """
import signal, sys
from pathlib import Path
from deploy.terraform import Terraform
signal.signal(signal.SIGINT, signal.default_int_handler)
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


@pytest.fixture
def applying(clone):
    """A deployment at its Terraform, in a session of its own as a terminal's is, and what it says."""
    calls = clone / "calls"
    env = {
        **os.environ,
        "CALLS": str(calls),
        "PATH": f"{clone / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'tools'}:{ROOT / 'plugins'}",
    }
    command = [sys.executable, "-c", APPLY, str(clone)]
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until(calls.exists)
    yield process, calls
    process.kill()
    process.wait()


def press_ctrl_c(process):
    """A terminal sends it to all programs in front."""
    os.killpg(process.pid, signal.SIGINT)


def until_told(process):
    for line in process.stderr:
        if line.startswith("interrupted: Terraform still does all of what it has begun"):
            return
    pytest.fail("nobody was told that Terraform goes on")


def test_after_a_ctrl_c_terraform_makes_the_whole_of_it(applying):
    """Cut off it has half made what takes long, such as MWAA, and destroys that to make it anew."""
    process, calls = applying
    press_ctrl_c(process)
    until_told(process)
    calls.with_name("calls.made").touch()

    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert calls.read_text().split("\n") == ["applies", "made", ""]


def test_a_second_ctrl_c_lets_terraform_write_down_what_it_has_made(applying):
    process, calls = applying
    press_ctrl_c(process)
    until_told(process)
    press_ctrl_c(process)

    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert calls.read_text().split("\n") == ["applies", "cut off", ""]


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
