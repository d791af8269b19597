"""Whether Airflow has what was laid down: its DAGs, its settings, and a file that goes all the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import boto3

from deploy import deployments
from deploy.contents import part
from deploy.deployments import Deployment
from deploy.mwaa import Waiting
from deploy.target import Target, Wanted, feeds_of
from filebatch.cli import airflow_api
from filebatch.cli.airflow_api import Airflow, AirflowError
from filebatch.core.contract import FileVersion
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord, FileState
from filebatch.feeds import settings
from filebatch.feeds.feed import Feed
from filebatch.feeds.settings import Settings

CANARY = "canary"  # a feed of this name is sent a file after each deployment


@dataclass(frozen=True)
class Deployed:
    """What is to be verified.

    Attributes:
        feeds: the feeds that were laid down.
        paths: all paths that were laid down.
        starts_paused: DAGs are to start paused, so that one that is isn't wrong.
        settings: what Terraform says that Airflow's Variable is; None where it wasn't asked.
        secret: ARN of the secret that Amazon MWAA reads it from; "" where Airflow has the Variable itself.
    """

    feeds: Sequence[Feed]
    paths: Sequence[str]
    starts_paused: bool = False
    settings: Mapping[str, Any] | None = None
    secret: str = ""


def problems(airflow: Airflow, deployed: Deployed) -> list[str]:
    """Return what is wrong with Airflow's DAGs now, and with its settings."""
    return [*_import_errors(airflow, deployed.paths), *_missing(airflow, deployed)]


def _import_errors(airflow: Airflow, paths: Sequence[str]) -> list[str]:
    ours = {PurePosixPath(path).name for path in paths}
    found = airflow_api.pages(airflow, "/importErrors", "import_errors")
    told = ((each["filename"], each["stack_trace"].strip().splitlines()[-1]) for each in found)
    return [f"import error of {name}: {why}" for name, why in told if PurePosixPath(name).name in ours]


def _missing(airflow: Airflow, deployed: Deployed) -> list[str]:
    found = {each["dag_id"]: each["is_paused"] for each in airflow_api.pages(airflow, "/dags", "dags")}
    names = [feed.name for feed in deployed.feeds]
    paused = [name for name in names if found.get(name) and not deployed.starts_paused]
    return [
        *(f"the DAG {name} isn't there yet" for name in names if name not in found),
        *(f"the DAG {name} is paused, so its files wait: unpause it in Airflow's UI" for name in paused),
    ]


def settings_problems(airflow: Airflow, deployed: Deployed) -> list[str]:
    """Return what is wrong with the settings where Airflow reads them."""
    if deployed.settings is None:
        return []
    where = f"the secret {deployed.secret}" if deployed.secret else "Airflow's Variable filebatch"
    try:
        found = _secret(deployed.secret) if deployed.secret else _asked(airflow, "/variables/filebatch", {})["value"]
    except AirflowError as error:
        return [f"{where} can't be read: {error}"]
    return [] if _document(found) == deployed.settings else [f"{where} isn't what Terraform's output `settings` says"]


def _document(text: str) -> Any:
    """Return what a text holds, None where it is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _secret(arn: str) -> str:
    return str(boto3.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])


def _asked(airflow: Airflow, path: str, query: Mapping[str, Any]) -> Any:
    answer = airflow_api.ask(airflow, "GET", path, query=query)
    if answer is None:
        raise AirflowError(f"{airflow.name}: nobody answers")
    return answer


def send_canary(airflow: Airflow, feed: Feed, where: Settings, number: int) -> FileVersion:
    """Drop a file that no deployment dropped before, and start a run that does it; return its version."""
    key = f"{feed.prefix}deployment-{number:06d}.csv"
    content = f"deployment\n{number}\n".encode()
    bucket = where.new_files
    put = boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=content)
    airflow_api.start(airflow, feed.name, {"keys": [key]}, f"deployment {number}")
    return FileVersion(bucket, key, put.get("VersionId", "null"), put["ETag"].strip('"'), len(content), "")


def until(look: Callable[[], list[str]], wait: Waiting) -> list[str]:
    """Look until nothing is wrong, or for long enough; return what still is."""
    wrong: list[str] = []
    for _ in range(wait.verify_looks):
        before, wrong = wrong, look()
        if not wrong:
            return []
        if wrong != before:
            wait.tell(f"waiting: {wrong[0]}" + (f" (and {len(wrong) - 1} more)" if wrong[1:] else ""))
        wait.pause(wait.verify_every)
    return wrong


def canary_problem(where: Settings, file: FileVersion) -> list[str]:
    """Say what is still wrong with the canary's file."""
    found = Ledger(boto3.client("dynamodb"), where.ledger).get(FileRecord.at(file))
    if found and found.state == FileState.SUCCEEDED:
        return []
    state = found.state if found else "not known to the ledger yet"
    return [f"the canary {file.uri} is {state}; `filebatch why {file.key}` says more"]


def verified(target: Target, wanted: Wanted, deployment: Deployment, outputs: Mapping[str, Any]) -> list[str]:
    """See whether Airflow has what was laid down, and does a file where there is a canary; return what is wrong."""
    airflow = target.airflow(outputs)
    if airflow is None:
        target.wait.tell(
            "not verified: nobody says where Airflow is (FILEBATCH_AIRFLOW_URL and FILEBATCH_AIRFLOW_TOKEN)"
        )
        return []
    known = json.loads(outputs["settings"]) if "settings" in outputs else None
    secret = outputs.get("settings_secret_arn", "") if target.mwaa else ""
    deployed = Deployed(feeds_of(target, wanted), list(wanted.files), _starts_paused(outputs), known, secret)
    try:
        wrong = until(lambda: problems(airflow, deployed), target.wait)
        wrong += settings_problems(airflow, deployed)
        place = target.place(outputs)
        before = next((each for each in deployments.newest(place) if each.verified), None) if place else None
        return wrong or _canary(airflow, target, deployed, deployment, before)
    except AirflowError as error:
        return [str(error)]


def _starts_paused(outputs: Mapping[str, Any]) -> bool:
    name = outputs.get("mwaa_environment")
    if not name:
        return True
    options = boto3.client("mwaa").get_environment(Name=name)["Environment"].get("AirflowConfigurationOptions", {})
    return bool(options.get("core.dags_are_paused_at_creation") != "False")


def _code(deployment: Deployment) -> tuple[dict[str, str], str]:
    """Return what a deployment runs on: all but feeds, whose DAGs are the same code with other words."""
    return {path: name for path, name in deployment.files.items() if part(path) != "feeds"}, deployment.image


def _canary(
    airflow: Airflow, target: Target, deployed: Deployed, deployment: Deployment, before: Deployment | None
) -> list[str]:
    if before and _code(before) == _code(deployment):
        target.wait.tell("no file was sent through: the same plugins, DAGs and image did one for the deployment before")
        return []
    canary = next((feed for feed in deployed.feeds if feed.name == CANARY), None)
    if canary is None or deployed.settings is None:
        why = "the settings aren't known" if canary else f"there is no feed {CANARY}; docs/deploy.md has one"
        target.wait.tell(f"no file was sent through: {why}")
        return []
    found = settings.parse(deployed.settings)
    file = send_canary(airflow, canary, found, deployment.number)
    wrong = until(lambda: canary_problem(found, file), target.wait)
    if not wrong:
        target.wait.tell(f"the canary {file.uri} is SUCCEEDED")
    return wrong
