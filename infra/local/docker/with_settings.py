# ruff: noqa: INP001 - a script, not a package
"""Runs Airflow with the local AWS's key and, as its Variable `filebatch`, settings: `with_settings.py scheduler`."""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from filebatch_local.base import access
from filebatch_local.base.layout import Layout
from local_system.airflow import new_password
from local_system.config import signing_secrets

WITHIN = 60.0  # seconds; a machine that restarts its containers starts them in any order


def environment(endpoint: str, key_file: Path, within: float = WITHIN) -> dict[str, str]:
    """Return the variables with which Airflow uses the local AWS, once that is provisioned.

    Raises:
        OSError: it wasn't in time.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            key = key_file.read_text(encoding="ascii")
            asked = access.ask(endpoint, key, "GET", "health")
            return {**access.credentials(key), "AIRFLOW_VAR_FILEBATCH": json.dumps(asked["settings"])}
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def airflows_secrets(passwords: Path) -> dict[str, str]:
    """Return the secrets with which Airflow signs; the first container makes them, and the password of the user."""
    if not passwords.exists():
        new_password(passwords)
    return signing_secrets(passwords.parent)


def command(arguments: Sequence[str]) -> list[str]:
    """Return Airflow's command, or for its API server ours, which has a gate in front."""
    if arguments[0] == "api-server":
        return ["python", "-m", "local_system.api_server", *arguments[1:]]
    return ["airflow", *arguments]


if __name__ == "__main__":
    os.environ |= environment(os.environ["AWS_ENDPOINT_URL"], Layout.here().key_file)
    os.environ |= airflows_secrets(Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]))
    wanted = command(sys.argv[1:])
    os.execvp(wanted[0], wanted)  # noqa: S606 - the image's own
