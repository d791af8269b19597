"""`make demo`, as it ends for whoever calls it."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

pytestmark = pytest.mark.airflow
ROOT = Path(__file__).parents[2]


def demo(*files: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "-s", "demo", f"FILES={' '.join(files)}"]
    if Path(sys.prefix).name != ".venv":
        command.append("AIRFLOW=newest")
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def test_the_demo_shows_what_became_of_each_sample_and_exits_0() -> None:
    ended = demo()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    summary = json.loads((ROOT / "demo-output" / "summary.json").read_text())
    jsonschema.validate(summary, json.loads((ROOT / "tools" / "demo" / "summary.schema.json").read_text()))
    states = {file["key"]: file["state"] for file in summary["files"]}
    assert states.pop("tables/broken.csv.gz") == "INVALID"
    assert set(states.values()) == {"SUCCEEDED"}
    assert {file["key"]: file["rows"] for file in summary["files"]}["tables/seattle-weather.csv"] == 1461
    (error,) = [file["error"] for file in summary["files"] if file["error"]]
    assert error == "corrupt: the gzip data is damaged"
    assert summary["job"]["status"] == "SUCCEEDED"
    assert [note["topic"] for note in summary["notifications"]] == ["filebatch-local-stakeholders"]
    sums = {metric["name"]: metric["sum"] for metric in summary["metrics"]}
    assert (sums["ProcessingSucceeded"], sums["ProcessingInvalid"]) == (len(states), 1)
    assert len(list((ROOT / "demo-output" / "results").rglob("data.parquet"))) == len(states)
    for said in (
        "starting a local AWS",
        "running airflow dags test tables",
        "task wait_for_files",
        "task process_files",
    ):
        assert f" s] {said}" in ended.stdout
    for word in ("SUCCEEDED", "INVALID", "Subject: filebatch tables", "ProcessingSucceeded"):
        assert word in ended.stdout


def test_files_that_are_not_there_end_the_demo_before_it_begins() -> None:
    ended = demo("no-such-file.csv")

    assert ended.returncode != 0
    assert "no-such-file.csv" in ended.stderr
