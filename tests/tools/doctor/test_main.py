"""`python -m doctor`: on a clone alone, and on a local AWS with what `make aws` makes."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

import surroundings
from aws import ROOT
from doctor.__main__ import main

WITHOUT = {"AIRFLOW_VAR_FILEBATCH", "AWS_ENDPOINT_URL", "FILEBATCH_AIRFLOW_PORT"}


def doctor(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it as `make doctor` does, where no Airflow runs."""
    env = {name: value for name, value in os.environ.items() if name not in WITHOUT}
    env |= {"PYTHONPATH": "infra/local:plugins:tools", "FILEBATCH_AIRFLOW_PORT": "1"}
    command = [sys.executable, "-m", "doctor", *arguments]
    return subprocess.run(command, cwd=ROOT, env={**env, **variables}, capture_output=True, text=True, check=False)


def test_of_an_environment_without_queues_each_is_named(place):
    settings = json.dumps(asdict(place.settings()))
    keys = {**place.server.credentials(), "AWS_ENDPOINT_URL": place.server.endpoint}

    ended = doctor("--json", AIRFLOW_VAR_FILEBATCH=settings, **keys)

    told = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert {"queues", "job definitions"} == {each["check"] for each in told["findings"]}
    assert all(each["what"] and each["why"] and each["do"] for each in told["findings"])
    assert {"feed files", "plugins.zip", "triggers", "clocks"} <= set(told["fine"])
    assert {"subscriptions", "quotas", "paused DAGs"} <= {each["check"] for each in told["not_checked"]}


def test_a_file_of_settings_is_taken(place, tmp_path):
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(asdict(place.settings())))
    keys = {**place.server.credentials(), "AWS_ENDPOINT_URL": place.server.endpoint}

    ended = doctor(str(file), **keys)

    assert "WRONG (queues): feed tables: no queue" in ended.stdout
    assert "what to do: run `terraform apply`" in ended.stdout


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_clone_alone_is_fine_and_the_rest_is_told_as_not_checked(monkeypatch, capsys, form):
    monkeypatch.delenv("AIRFLOW_VAR_FILEBATCH", raising=False)
    monkeypatch.setenv("FILEBATCH_AIRFLOW_PORT", "1")
    monkeypatch.setattr(surroundings, "running", lambda layout: None)  # whatever this clone's state folder holds

    code = main(form)

    told = capsys.readouterr().out
    assert code == 0
    assert "no settings: give a file" in told
    assert "plugins.zip" in told


@pytest.mark.parametrize(
    ("written", "told"),
    [("{", "AIRFLOW_VAR_FILEBATCH: expected the settings as JSON"), ("", "no settings"), ("[]", "expected a dict")],
)
def test_settings_that_are_none_are_told_and_not_looked_at(monkeypatch, capsys, written, told):
    monkeypatch.setenv("AIRFLOW_VAR_FILEBATCH", written)
    assert main(["--no-local"]) == 0
    assert told in capsys.readouterr().out


@pytest.mark.parametrize("written", [None, "{", "[]", "{}"])
def test_a_file_that_holds_no_settings_is_refused(tmp_path, capsys, written):
    file = tmp_path / "settings.json"
    if written is not None:
        file.write_text(written)
    with pytest.raises(SystemExit) as ended:
        main([str(file)])
    assert ended.value.code == 2
    assert str(file) in capsys.readouterr().err


def test_without_this_machines_own_nothing_of_it_is_told(monkeypatch, capsys):
    monkeypatch.delenv("AIRFLOW_VAR_FILEBATCH", raising=False)
    monkeypatch.setattr(surroundings, "running", lambda layout: pytest.fail("the local AWS was looked for"))
    assert main(["--no-local"]) == 0
    assert "paused DAGs: the shell names no Airflow" in capsys.readouterr().out
