"""Airflow on this machine, which conducts the environment in the account; and a local AWS in its place."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aws_smoke import programs
from aws_smoke.looking import Place
from filebatch_local.base.layout import WORKER_IMAGE, Layout
from filebatch_local.batch.images import of_repository
from filebatch_local.serve import background
from filebatch_local.serve.shell import environment, take_over

ROOT = Path(__file__).parents[2]
LOCAL_ACCOUNT = "123456789012"


def place(outputs: Mapping[str, Any], connect: Callable[[str], Any], patience: float) -> Place:
    """Return the environment that Terraform has made."""
    return Place(json.loads(outputs["settings"]), outputs, connect, patience)


def dags_test(feed: str, folder: Path, feeds: Path, settings: Mapping[str, Any]) -> int:
    """Run a feed's DAG with `airflow dags test`; return its exit code. What it says goes to a log in the folder."""
    home, dags = folder / "airflow", folder / "dags"
    home.mkdir()
    shutil.copy(Layout.here().airflow_home(Path(sys.prefix)) / "pristine.db", home / "airflow.db")
    shutil.copytree(ROOT / "dags", dags, ignore=shutil.ignore_patterns("__pycache__", "feeds"))
    shutil.copytree(feeds, dags / "feeds")
    variables = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "filebatch_local.base.sqlite.connect_args",
        "PYTHONPATH": str(Layout.here().package),
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        "AIRFLOW_VAR_FILEBATCH": json.dumps(settings),
    }
    command = (str(Path(sys.executable).parent / "airflow"), "dags", "test", feed)
    return programs.run(command, folder, {**os.environ, **variables}, folder / "airflow.log")


@contextmanager
def local_aws(prefix: str, tag: str) -> Iterator[None]:
    """Have this process use a local AWS of its own, whose jobs run this repository's worker for the prefix's image."""
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"  # AWSBatchServiceRole is one
    layout = Layout.here()
    region = "eu-west-1"
    name = f"{LOCAL_ACCOUNT}.dkr.ecr.{region}.amazonaws.com/{prefix}-registry-worker:{tag}"
    with background.local_aws(images={name: of_repository(layout)[WORKER_IMAGE]}) as aws:
        take_over(environment(layout, aws.endpoint, aws.settings, aws.key))
        yield
