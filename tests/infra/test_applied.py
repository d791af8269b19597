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


def test_a_feeds_containers_are_told_the_bucket_in_which_its_runs_look_for_results(applied: Applied) -> None:
    batch, found = applied.client("batch"), settings.parse(applied.settings)
    for feed in ("daily", "lines", "tables", "weather"):
        name = found.job_definition(feed)
        (definition,) = batch.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
        told = {each["name"]: each["value"] for each in definition["containerProperties"]["environment"]}
        assert (feed, told["FILEBATCH_RESULTS_BUCKET"]) == (feed, found.results(feed))
