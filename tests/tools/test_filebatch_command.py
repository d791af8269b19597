"""`filebatch` as a shell of `make env` has it, with a real Airflow: what docs/cli.md says is run."""

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from api_server import api_server
from aws import ROOT, feed_of
from filebatch.core import clock, file_moves
from filebatch.core.contract import Reason
from filebatch.core.file_moves import FileFailure
from filebatch_local.base import access
from local_system import airflow
from local_system.config import airflow_environment

# No file has succeeded there, none has a log; one is held by a claim of which there is no record, as the audit says.
EXPECTED = {"results": 3, "logs": 3, "audit": 1}
COMMAND = ROOT / "infra" / "local" / "bin" / "filebatch"
KEY, HELD = "weather/2026-01-02/north.csv", "weather/2026-01-02/south.csv"


@pytest.fixture
def shell(place):
    """The variables of a shell, in whose ledger a file of `weather` failed and another is held by a run."""
    (row, held) = place.arrive(place.put(KEY), place.put(HELD), feed=feed_of("weather"))
    place.ledger.move(file_moves.claim(held, "1123456789abcdef-0001", "manual__2", 1, clock.now()))
    place.connect("sqs").create_queue(QueueName=place.settings().dead_letters("weather").rsplit("/", 1)[1])
    token = "0123456789abcdef-0001"
    place.ledger.move(file_moves.claim(row, token, "manual__1", 1, clock.now()))
    failed = FileFailure(Reason("timeout", "the attempt ran longer than the feed's timeout"))
    place.ledger.move(file_moves.fail(row, token, "weather", failed, retry=None, now=clock.now()))
    return {
        **access.without_aws(os.environ),
        **access.credentials(place.server.key),
        "PATH": f"{COMMAND.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": place.server.endpoint,
        "AIRFLOW_VAR_FILEBATCH": json.dumps(asdict(place.settings())),
        "FILEBATCH_AIRFLOW_URL": "http://127.0.0.1:9",
    }


def run(shell, command):
    return subprocess.run(["/bin/sh", "-c", command], env=shell, capture_output=True, text=True, check=False)


def documented() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "cli.md").read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("filebatch ")]


def test_the_page_has_every_command():
    from filebatch.cli.commands import main

    assert {line.split()[1] for line in documented()} == set(main.commands)


def test_every_documented_command_does_what_the_page_says(shell):
    for command in documented():
        ended = run(shell, command)
        assert ended.returncode == EXPECTED.get(command.split()[1], 0), (command, ended.stderr)
        assert "Traceback" not in ended.stderr


def test_stdout_is_json_alone(shell):
    (file,) = json.loads(run(shell, "filebatch files --state FAILED --json").stdout)
    assert (file["key"], file["state"]) == (KEY, "FAILED")


def test_a_retry_is_a_run_of_the_feeds_dag_with_its_reason(shell, tmp_path):
    with api_server(tmp_path) as config:
        variables = airflow_environment(config, "http://127.0.0.1:1", {"region": "x"}, "key")
        made = subprocess.run(
            [sys.executable, "-m", "airflow", "dags", "reserialize"],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        there = {
            **shell,
            "FILEBATCH_AIRFLOW_URL": config.api.url,
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(config.passwords),
        }
        ended = run(there, "filebatch retry weather --reason 'bigger timeout' --json")
        assert ended.returncode == 0, ended.stderr
        (run_id,) = json.loads(ended.stdout)["runs"]
        found = airflow.ask(config.api, "GET", f"/api/v2/dags/weather/dagRuns/{run_id}")
        assert found["conf"] == {"state": "FAILED", "reason": "bigger timeout"}
        assert found["note"] == "retry: bigger timeout"
        assert found["triggering_user_name"] == "admin"
        nobody = {**there, "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(tmp_path / "none.json")}
        refused = run(nobody, "filebatch retry weather --reason x")
        assert (refused.returncode, "FILEBATCH_AIRFLOW_TOKEN" in refused.stderr) == (1, True)
