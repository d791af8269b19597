# ruff: noqa: INP001 - a script, not a package
"""Prints the link that logs a browser in to the Airflow of docker-compose.yaml."""

import os
from pathlib import Path

from local_system.airflow import Api

if __name__ == "__main__":
    passwords = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    print(Api.of(os.environ["AIRFLOW__API__BASE_URL"], passwords).login)  # noqa: T201 - that's what it is for
