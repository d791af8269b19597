"""Runs of an environment's DAGs, done by this machine's Airflow with the environment's DAG folder and Variable."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from filebatch_local.mwaa.airflow import Files, lay_down

KWARGS = "secrets.backend_kwargs"
VARIABLE = "filebatch"

log = logging.getLogger("filebatch_local")


def runner(
    client: Callable[[str], Any], variables: Callable[[Any], Mapping[str, str]], database: Path
) -> Callable[..., bool]:
    """Return what does a run.

    Args:
        client: makes a boto3 client of a service.
        variables: a process's environment variables, of settings.
        database: Airflow's database as it is when it's new; each run has its own.
    """

    def run(environment: Mapping[str, Any], dag: str, conf: Any, files: Files) -> bool:
        try:
            settings = _settings(client, environment.get("AirflowConfigurationOptions", {}))
        except (ClientError, KeyError) as error:
            log.warning("MWAA: run of %s failed: no Variable %s: %s", dag, VARIABLE, error)
            return False
        with tempfile.TemporaryDirectory() as folder:
            ended = _dags_test(Path(folder), dag, conf, files, {**variables(settings)}, database)
        log.info("MWAA: run of %s ended with %s", dag, ended.returncode)
        if ended.returncode:
            log.warning("%s", (ended.stdout + ended.stderr)[-4000:])
        return ended.returncode == 0

    return run


def _dags_test(
    folder: Path, dag: str, conf: Any, files: Files, variables: dict[str, str], database: Path
) -> subprocess.CompletedProcess[str]:
    lay_down(files, folder / "dags")
    shutil.copy(database, folder / "airflow.db")
    own = {"AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags")}
    env = {**os.environ, **variables, **own, "AIRFLOW__CORE__UNIT_TEST_MODE": "False"}
    command = [sys.executable, "-m", "airflow", "dags", "test", dag, "--conf", json.dumps(conf or {})]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def _settings(client: Callable[[str], Any], options: Mapping[str, str]) -> Any:
    """Return the Variable as Airflow's Secrets Manager backend finds it."""
    prefix = json.loads(options[KWARGS])["variables_prefix"]
    secret = client("secretsmanager").get_secret_value(SecretId=f"{prefix}/{VARIABLE}")
    return json.loads(secret["SecretString"])
