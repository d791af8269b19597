"""Terraform applied once for this folder, and the main job done on what it made."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowFailException

from aws import until
from e2e.system import HERE as E2E
from e2e.system import LINES
from filebatch.feeds.feed import Feed, load_feed
from filebatch.triggers.arrivals import ArrivalsTrigger
from filebatch_local.base.layout import WORKER_IMAGE, Layout
from filebatch_local.batch.images import ImageEnv, of_repository
from filebatch_local.serve.background import LocalAws, local_aws
from filebatch_local.serve.shell import environment
from infra import calls, judged
from infra.applied import MWAA_PREFIX, PREFIX, REGION, Applied
from infra.terraform import ROOT, workspace

# So that an age of a second is too old, three jobs are too many, and a feed's alarms can be seen to fire.
VARIABLES = {
    "res_prefix": PREFIX,
    "deletion_protection": False,
    "batch": {"max_vcpus": 1},
    "alarm_overrides": {
        "daily": {
            alarm: {"threshold": 1} for alarm in ("arrivals-not-taken", "job-stuck-runnable", "oldest-waiting-file")
        }
    },
}

MANAGED_POLICIES = ("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")  # AWSBatchServiceRole is one


@pytest.fixture(scope="package")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("feeds")
    for file in [
        *(ROOT / "dags" / "feeds").glob("*.yaml"),
        LINES,
        Path(__file__).parent / "feeds" / "daily.yaml",
    ]:
        shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="package")
def applied(feeds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    folder = tmp_path_factory.mktemp("terraform")
    recording = folder / "requests.jsonl"
    layout = Layout.here()
    worker = of_repository(layout)[WORKER_IMAGE]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(*MANAGED_POLICIES)
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        image = f"{calls.ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{PREFIX}-registry-worker:0.1.0"
        paths = f"{worker.env['PYTHONPATH']}:{E2E / 'processors'}"
        images = {image: ImageEnv(worker.path, {**worker.env, "PYTHONPATH": paths})}
        with local_aws(images=images, feeds_dir=feeds, options=("--record", str(recording))) as aws:
            terraform = workspace(folder, aws, feeds, VARIABLES)
            terraform.init()
            terraform.apply()
            outputs = terraform.outputs()
            for name, value in environment(layout, aws.endpoint, json.loads(outputs["settings"]), aws.key).items():
                if name.startswith(("AWS_", "AIRFLOW_", "PYTHONPATH")):
                    patch.setenv(name, value)
            for name, value in judged.airflow(aws).items():
                patch.setenv(name, value)
            yield Applied(aws, terraform, outputs, recording)
            terraform.destroy()
            assert terraform.resources() == []
            assert_nothing_is_left(aws)


@pytest.fixture(scope="package")
def with_mwaa(feeds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    """The roles of an environment that has MWAA and CI, and what they are roles for; the DAGs deployed as CI does it.

    The MWAA environment itself is left out: the local AWS has none.
    """
    deploys = {
        "res_prefix": MWAA_PREFIX,
        "mwaa": {"plugins_zip": "build/plugins.zip"},
        "ci": {"repository": "acme/filebatch"},
    }
    folder = tmp_path_factory.mktemp("mwaa")
    recording = folder / "requests.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(*MANAGED_POLICIES)
        with local_aws(options=("--record", str(recording))) as aws:
            terraform = workspace(folder, aws, feeds, {**VARIABLES, **deploys})
            terraform.init()
            terraform.apply("module.iam")
            deploy_dags(aws, f"{MWAA_PREFIX}-storage-airflow", folder / "dags")
            yield Applied(aws, terraform, terraform.outputs(), recording)


def deploy_dags(aws: LocalAws, bucket: str, folder: Path) -> None:
    """Sync DAGs as docs/runbook.md says, and again after one is gone."""
    shutil.copytree(ROOT / "dags", folder, ignore=shutil.ignore_patterns("__pycache__"))
    command = [str(ROOT / ".venv-cli" / "bin" / "aws"), "s3", "sync", str(folder), f"s3://{bucket}/dags", "--delete"]
    environment = {
        **os.environ,
        **aws.credentials(judged.DEPLOY),
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_REGION": REGION,
    }
    for _ in range(2):
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        (folder / "example_downstream.py").unlink(missing_ok=True)


@pytest.fixture(scope="package")
def lines(applied: Applied, feeds: Path) -> Feed:
    return load_feed(feeds / "lines.yaml")


def assert_nothing_is_left(aws: LocalAws) -> None:
    """What is there still is what the local AWS provisioned itself."""
    names = [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]
    assert sorted(names) == sorted(aws.settings["buckets"].values())
    assert boto3.client("sqs").list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", []) == []
    assert boto3.client("cloudwatch").describe_alarms(AlarmNamePrefix=PREFIX)["MetricAlarms"] == []


@pytest.fixture(scope="package")
def done(applied: Applied, lines: Feed) -> Applied:
    """The main job, in all the ways that ask something else of AWS."""
    arrivals_failures_and_a_sweep(applied, lines)
    named_keys(applied, lines)
    the_doorbell_and_a_commit_that_was_first(applied, lines)
    a_job_that_a_user_ends(applied, lines)
    a_version_that_is_gone(applied, lines)
    return applied


def arrivals_failures_and_a_sweep(applied: Applied, lines: Feed) -> None:
    contents = {"a": "one\n", "b": "one\ntwo\n", "broken": "invalid\n", "raises": "raise\n", "killed": "kill-once\n"}
    for name, content in contents.items():
        applied.put(f"lines/{name}.txt", content)
    applied.put("lines/d+e.txt", "one\n")  # a key that the bucket is asked about
    with pytest.raises(AirflowFailException):
        applied.run(lines).all()
    wait_no_more(applied, "lines/raises.txt")


def wait_no_more(applied: Applied, key: str) -> None:
    """Let a failed file not come again, however slowly the machine gets to the next run."""
    item = {name: applied.item(key)[name] for name in ("pk", "sk")}
    table = {"TableName": applied.settings["ledger"], "ExpressionAttributeNames": {"#open": "open"}}
    applied.client("dynamodb").update_item(**table, Key=item, UpdateExpression="REMOVE #open, due_at")


def named_keys(applied: Applied, lines: Feed) -> None:
    applied.run(lines, params={"keys": ["lines/a.txt"], "force": True}).all()
    with pytest.raises(AirflowFailException, match=r"lines/none\.txt"):
        applied.run(lines, params={"keys": ["lines/none.txt"]}).task("wait_for_files")


def the_doorbell_and_a_commit_that_was_first(applied: Applied, lines: Feed) -> None:
    """A worker that died between its commit and the ledger leaves a result that the next one finds."""
    applied.put("lines/c.txt", "one\n")
    asyncio.run(first_event(ArrivalsTrigger.of(lines, "aws_default")))
    waiting = applied.item("lines/c.txt")
    applied.run(lines).all()
    applied.client("dynamodb").put_item(TableName=applied.settings["ledger"], Item=waiting)
    applied.run(lines).all()
    assert applied.states()["lines/c.txt"] == "SUCCEEDED"


def a_job_that_a_user_ends(applied: Applied, lines: Feed) -> None:
    applied.put("lines/slow.txt", "sleep\n60\n")
    run = applied.run(lines)
    run.task("claim_files")
    trigger = run.until_deferred("process_files")
    until(applied.aws.jobs)
    asyncio.run(trigger.on_kill())
    with pytest.raises(AirflowFailException):
        run.task("process_files")


def a_version_that_is_gone(applied: Applied, lines: Feed) -> None:
    version = applied.put("lines/gone.txt", "one\n")
    run = applied.run(lines)
    run.task("claim_files")
    applied.client("s3").delete_object(
        Bucket=applied.settings["buckets"]["new_files"], Key="lines/gone.txt", VersionId=version
    )
    for task in ("process_files", "publish_metrics", "notify"):
        run.task(task)


async def first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event
    raise AssertionError("the trigger ended without an event")
