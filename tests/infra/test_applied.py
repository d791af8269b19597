"""Terraform applied to a local AWS: a second plan changes nothing, and the main job runs on what it made."""

import json

import pytest

from filebatch.feeds import settings
from infra.applied import PREFIX, Applied

pytestmark = [pytest.mark.terraform, pytest.mark.airflow]


def test_a_second_plan_changes_nothing(applied: Applied) -> None:
    assert applied.terraform.changes() == []


def test_the_main_job_runs_on_what_terraform_made(done: Applied) -> None:
    states = {key: state for key, state in done.states().items() if key.startswith("lines/")}
    assert states == {
        "lines/a.txt": "SUCCEEDED",
        "lines/b.txt": "SUCCEEDED",
        "lines/broken.txt": "INVALID",
        "lines/c.txt": "SUCCEEDED",
        "lines/d+e.txt": "SUCCEEDED",
        "lines/gone.txt": "INVALID",
        "lines/killed.txt": "SUCCEEDED",
        "lines/raises.txt": "FAILED",
        "lines/slow.txt": "FAILED",
    }


def test_terraforms_settings_are_those_that_airflow_reads(applied: Applied) -> None:
    secret = applied.client("secretsmanager").get_secret_value(SecretId=f"{PREFIX}/variables/filebatch")
    assert json.loads(secret["SecretString"]) == applied.settings
    assert settings.parse(applied.settings).environment == PREFIX
