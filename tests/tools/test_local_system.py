"""Parts of a local system: recorded, found dead, ended; none of Airflow's own processes is needed for that."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from aws import ROOT
from filebatch_local.base.layout import Layout
from local_system import __main__ as command
from local_system import parts
from local_system.config import Config, airflow_environment
from local_system.parts import Part
from local_system.system import Status, status


@pytest.fixture
def here(tmp_path):
    return Config(Layout.here(tmp_path), Path(sys.executable), aws_port=1, api_port=1)


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield Part(process.pid, psutil.Process(process.pid).create_time(), "triggerer")
    process.kill()
    process.wait()


def test_what_was_recorded_is_ended_and_nothing_else(here, sleeper):
    other = Part(sleeper.pid, sleeper.started - 100, "scheduler")  # the id has been given to somebody else since
    parts.stop([other])
    parts.record(here, [sleeper])
    parts.stop(parts.recorded(here))
    assert os.waitpid(sleeper.pid, 0)[1] == signal.SIGTERM, "the other would have been killed"


def test_a_part_that_ended_is_named_with_its_log(here, sleeper, capsys):
    parts.record(here, [Part(2**22 - 1, 0.0, "scheduler"), sleeper])
    assert status(here).dead == ["local AWS", "scheduler"]
    assert command.main(["up", "--state", str(here.layout.state), "--api-port", "1"]) == 1
    told = capsys.readouterr().out
    assert f"scheduler has ended (log: {here.logs / 'scheduler.log'})" in told
    assert "`make down` ends the rest" in told


def test_a_port_that_is_taken_is_named_with_what_to_do(here, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert command.main(["up", "--state", str(here.layout.state), "--api-port", str(port)]) == 1
    told = capsys.readouterr().out
    assert f"port {port} on 127.0.0.1 is taken" in told
    assert "Airflow's API server" in told
    assert f"choose another port for all commands: `export FILEBATCH_AIRFLOW_PORT={port + 1}`" in told
    assert parts.recorded(here) == []


def test_ports_are_chosen_once_for_all_commands(here, monkeypatch, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("FILEBATCH_AIRFLOW_PORT", str(taken.getsockname()[1]))
        assert command.main(["up", "--state", str(here.layout.state)]) == 1
    assert f"port {os.environ['FILEBATCH_AIRFLOW_PORT']} on 127.0.0.1 is taken" in capsys.readouterr().out


def test_nothing_runs(here, capsys):
    state = str(here.layout.state)
    assert status(here) == Status(None, {}, [], [])
    assert command.main(["status", "--state", state]) == command.NOT_RUNNING
    assert command.main(["down", "--state", state]) == 0
    assert capsys.readouterr().out == "not running: `make up` starts it\nwas not running\n"


@pytest.mark.parametrize(("code", "faulty"), [(0, False), (3, False), (1, True)])
def test_make_takes_nothing_that_runs_for_no_fault(code, faulty):
    command = ["make", "-s", "status", f"RUN=ended() {{ return {code}; }}; ended", f"VENV={sys.prefix}"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert bool(ended.returncode) is faulty
    assert ("Error" in ended.stderr) is faulty


def test_what_airflow_signs_with_is_kept_and_private(here):
    settings = {"region": "eu-west-1"}
    first, again = (airflow_environment(here, "http://127.0.0.1:1", settings, "key") for _ in range(2))
    assert first == again
    assert len(first["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64
    assert {file.stat().st_mode & 0o077 for file in here.home.glob(".*-*")} == {0}
