"""The runbook's commands run as printed in a shell of the local AWS, and Airflow's are commands of Airflow."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from airflow.api_fastapi import core_api

import mwaa
from aws import ended, until
from filebatch_local.base.layout import Layout
from filebatch_local.serve.background import down, up

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
ELSEWHERE = "$PREFIX-observability-undelivered", "$UNDELIVERED"  # what only AWS has
TOKEN = "0123456789abcdef-0001"
KEY = "weather/2026-01-02/north.csv"


def commands():
    """Return the fenced commands, each on one line."""
    blocks = re.findall(r"^```\n(.*?)^```", TEXT.replace("\\\n", " "), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line]


FIRST = [
    line for line in commands() if re.match(r"[A-Z_]+=|eval ", line) and not re.search("UNDELIVERED|make audit", line)
]
LATER = [line for line in commands() if line not in FIRST]
OF_MWAA = [line for line in LATER if line.startswith("aws mwaa ")]
STARTS_A_RUN = "--method POST"  # which Airflow would do while the server ends
OF_AWS = [
    line for line in LATER if line.startswith("aws ") and not any(each in line for each in (*ELSEWHERE, STARTS_A_RUN))
]
OF_AIRFLOW = [line for line in LATER if line.startswith("airflow ")]


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    found = Layout.here(tmp_path_factory.mktemp("runbook") / "state")
    aws, _ = up(found, 0, ["--mwaa-takes", "0.1"])
    home = found.airflow_home(Path(sys.prefix))
    home.mkdir(parents=True)
    shutil.copy(Layout.here().airflow_home(Path(sys.prefix)) / "pristine.db", home / "airflow.db")
    s3, batch = aws.client("s3"), aws.client("batch")
    s3.put_object(Bucket=aws.settings["buckets"]["new_files"], Key=KEY, Body=b"x")
    for key in ("quarantine/weather/x/_reason.json", f"manifests/weather/{TOKEN}/plan.json"):
        s3.put_object(Bucket=aws.settings["buckets"]["results"], Key=key, Body=b"{}")
    request = {"jobQueue": aws.settings["job_queue"], "shareIdentifier": "weather"}
    job = batch.submit_job(jobName="weather-x", jobDefinition="filebatch-local-weather", **request)["jobId"]
    until(lambda: ended(batch, job), 60)
    mwaa_of(aws, found.state)
    yield found, {"KEY": KEY, "ID": job, "TOKEN": TOKEN, "…": "x"}
    down(found)


def mwaa_of(aws, folder):
    """Make an environment of Amazon MWAA as Terraform names it, with a feed."""
    name = "filebatch-local-mwaa-airflow"
    aws.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": mwaa.REGION})
    aws.client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    made = mwaa.Environment(aws.client, name)
    made.create(mwaa.plugins_zip(folder), b"")
    for file in ("dags/file_to_batch.py", "dags/feeds/weather.yaml"):
        made.put(file, (ROOT / file).read_bytes())


def run(layout, lines):
    """Run lines in a shell of the local AWS that has set what the page says is set there first."""
    local = [line for line in FIRST if "PREFIX=filebatch-local" in line]
    ordered = [*local, *FIRST[2:5]]
    env = f'eval "$({shlex.quote(sys.executable)} -m filebatch_local env --state {shlex.quote(str(layout.state))})"'
    paths = f"{ROOT / 'infra' / 'local'}:{ROOT / 'plugins'}"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(layout.state), "PYTHONPATH": paths}
    script = "\n".join([env, "set -o pipefail", *ordered, *lines])
    return subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_the_page_has_commands_of_both():
    assert (len(OF_AWS), len(OF_AIRFLOW)) > (10, 5)
    assert all(line.split()[0] in ("aws", "airflow", "jq") or "make audit" in line or "$" in line for line in LATER)


def test_aws_is_asked_as_printed(layout):
    found, words = layout
    lines = []
    for number, line in enumerate(OF_AWS):
        told = re.sub(r"\b(KEY|ID|TOKEN)\b|…", lambda match: words[match[0]], line)
        lines.append(f"{{ {told}; }} >/dev/null || echo failed: {number}")
    done = run(found, lines)
    failed = [OF_AWS[int(number)] for number in re.findall(r"failed: (\d+)", done.stdout)]
    assert (failed, done.returncode) == ([], 0), done.stderr[-3000:]


@pytest.mark.parametrize("line", OF_AIRFLOW)
def test_what_airflow_is_asked_is_a_command_of_it(line):
    from airflow.cli.cli_parser import get_parser

    asked = line.split("|")[0].replace("$FEED", "weather")
    get_parser().parse_args(shlex.split(asked)[1:])


@cache
def api_of_airflow():
    """Return Airflow's REST API as Airflow describes it."""
    file = Path(core_api.__file__).with_name("openapi") / "v2-rest-api-generated.yaml"
    return yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


@pytest.mark.parametrize("line", OF_MWAA)
def test_what_mwaa_is_asked_is_of_airflows_rest_api(line):
    """https://docs.aws.amazon.com/mwaa/latest/APIReference/API_InvokeRestApi.html: a path has no `/api/v2` in front."""
    words = shlex.split(line)
    told = dict(zip(words[3::2], words[4::2], strict=True))
    operation = api_of_airflow()["paths"][f"/api/v2{told['--path'].replace('$FEED', '{dag_id}')}"]
    operation = operation[told["--method"].lower()]
    queries = {each["name"] for each in operation["parameters"]}
    assert json.loads(told.get("--query-parameters", "{}")).keys() <= queries
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        body, fields = json.loads(told["--body"]), api_of_airflow()["components"]["schemas"][schema]
        assert set(fields.get("required", ())) <= body.keys() <= fields["properties"].keys()


def test_the_page_has_mwaas_command_for_each_of_airflows_about_dags():
    asked = {line.split()[2] for line in OF_AIRFLOW if line.startswith("airflow dags")}
    paths = {
        (words[words.index("--method") + 1], words[words.index("--path") + 1]) for words in map(str.split, OF_MWAA)
    }
    of = {
        "trigger": ("POST", "/dags/$FEED/dagRuns"),
        "list": ("GET", "/dags"),
        "list-runs": ("GET", "/dags/$FEED/dagRuns"),
        "list-import-errors": ("GET", "/importErrors"),
    }
    assert asked == of.keys()
    assert set(of.values()) <= paths


def test_airflows_answer_for_a_program_is_that_alone(layout):
    done = run(layout[0], ["airflow dags list-import-errors -o json | jq -c ."])
    assert (json.loads(done.stdout), done.returncode) == ([], 0), done.stderr[-2000:]
