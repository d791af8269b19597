"""`python -m filebatch_local`: up, down, env, status, and what happens when things are in the way."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from aws import is_alive
from filebatch_local.base.layout import Layout
from filebatch_local.base.ports import free_port
from filebatch_local.serve.background import start, wait_until_up

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def state(tmp_path):
    yield tmp_path / "state"
    run(tmp_path / "state", "down")


def run(state, *arguments):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'infra' / 'local'}:{ROOT / 'plugins'}"}
    command = [sys.executable, "-m", "filebatch_local", *arguments, "--state", str(state)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def settings(state):
    return json.loads((state / "aws.json").read_text())


def test_up_env_status_and_down(state):
    port = str(free_port())
    assert run(state, "status").returncode == 3
    first = run(state, "up", "--port", port, "--vcpus", "2")
    assert first.returncode == 0, first.stderr
    assert f"http://127.0.0.1:{port}" in first.stdout
    pid = settings(state)["pid"]
    assert "up already" in run(state, "up", "--port", port).stdout
    assert settings(state)["pid"] == pid
    assert run(state, "status").returncode == 0

    script = f'eval "$({sys.executable} -m filebatch_local env --state {state})"; env'
    environment = {"PYTHONPATH": str(ROOT / "infra" / "local"), "PATH": os.environ["PATH"]}
    printed = subprocess.run(
        ["/bin/sh", "-c", script], env=environment, capture_output=True, text=True, check=True
    ).stdout
    seen = dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)
    assert seen["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"
    assert seen["AIRFLOW_HOME"] == str(Layout.here(state).airflow_home(Path(sys.prefix)))
    assert json.loads(seen["AIRFLOW_VAR_FILEBATCH"]) == settings(state)["settings"]
    assert seen["PATH"].startswith(f"{ROOT / 'infra' / 'local' / 'bin'}:{Path(sys.executable).parent}:")

    assert "stopped" in run(state, "down").stdout
    assert not is_alive(pid)
    assert "was not running" in run(state, "down").stdout
    assert run(state, "env").returncode == 1


def test_a_taken_port_is_named_with_what_to_do(state):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = run(state, "up", "--port", str(port))
    assert found.returncode == 1
    assert f"port {port} on 127.0.0.1 is taken" in found.stderr
    assert "export FILEBATCH_AWS_PORT=" in found.stderr
    assert "Traceback" not in found.stderr


def answers(address, port):
    with socket.socket() as one:
        return one.connect_ex((address, port)) == 0


def test_only_this_machine_reaches_it_unless_another_host_is_asked_for(state):
    port = free_port()
    assert run(state, "up", "--port", str(port), "--feeds", "").returncode == 0
    assert settings(state)["endpoint"] == f"http://127.0.0.1:{port}"
    assert answers("127.0.0.1", port)
    assert not answers("127.0.0.2", port)  # an address that only a server of all interfaces would have


def test_a_host_that_is_asked_for_is_in_its_urls(state):
    port = str(free_port())
    started = run(state, "up", "--port", port, "--host", "localhost")
    assert started.returncode == 0, started.stderr
    found = settings(state)
    assert found["endpoint"] == f"http://localhost:{port}"
    assert found["settings"]["queue_prefix"].startswith(f"http://localhost:{port}/")


def test_a_host_of_another_machine_is_refused(state):
    found = run(state, "serve", "--port", "0", "--host", "192.0.2.1")
    assert found.returncode == 1
    assert "192.0.2.1" in found.stderr
    assert "--host" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_job_outlives_its_server(tmp_path, number, wait_until):
    images = tmp_path / "images.json"
    images.write_text(json.dumps({"tools": {"path": ["/usr/bin", "/bin"]}}))
    layout = Layout.here(tmp_path / "state")
    process = start(layout, 0, ["--feeds", "", "--images", str(images)])
    aws = wait_until_up(layout, process)
    batch = aws.client("batch")
    requirements = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
    container = {"image": "tools", "command": ["sleep", "600"], "resourceRequirements": requirements}
    batch.register_job_definition(jobDefinitionName="sleeper", type="container", containerProperties=container)
    queue = aws.settings["job_queue"]
    batch.submit_job(jobName="sleeper", jobQueue=queue, jobDefinition="sleeper", shareIdentifier="tests")
    job = wait_until(aws.jobs, "a running job")[0]
    process.send_signal(number)
    process.wait(timeout=10)
    run(layout.state, "down")
    wait_until(lambda: not is_alive(job["pid"]), "its end")
    assert not layout.scratch.exists() or not list(layout.scratch.iterdir())
