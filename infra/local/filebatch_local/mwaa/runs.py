"""Runs of an environment's DAGs, done by this machine's Airflow with the environment's DAG folder and Variable."""

from __future__ import annotations

import json
import logging
import os
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


def runner(client: Callable[[str], Any], variables: Callable[[Any], Mapping[str, str]]) -> Callable[..., bool]:
    """Return what does a run.

    Args:
        client: makes a boto3 client of a service.
        variables: a process's environment variables, of settings.
    """

    def run(environment: Mapping[str, Any], dag: str, conf: Any, files: Files) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            lay_down(files, Path(folder))
            try:
                settings = _settings(client, environment.get("AirflowConfigurationOptions", {}))
            except (ClientError, KeyError) as error:
                log.warning("MWAA: run of %s failed: no Variable %s: %s", dag, VARIABLE, error)
                return False
            env = {**os.environ, **variables(settings), "AIRFLOW__CORE__DAGS_FOLDER": folder}
            command = [sys.executable, "-m", "airflow", "dags", "test", dag, "--conf", json.dumps(conf or {})]
            ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        log.info("MWAA: run of %s ended with %s", dag, ended.returncode)
        if ended.returncode:
            log.warning("%s", (ended.stdout + ended.stderr)[-4000:])
        return ended.returncode == 0

    return run


def _settings(client: Callable[[str], Any], options: Mapping[str, str]) -> Any:
    """Return the Variable as Airflow's Secrets Manager backend finds it."""
    prefix = json.loads(options[KWARGS])["variables_prefix"]
    secret = client("secretsmanager").get_secret_value(SecretId=f"{prefix}/{VARIABLE}")
    return json.loads(secret["SecretString"])
