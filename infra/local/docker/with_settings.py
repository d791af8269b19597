# ruff: noqa: INP001 - a script, not a package
"""Runs Airflow with what the local AWS provisioned as its Variable `filebatch`: `with_settings.py api-server …`."""

import json
import os
import sys
import time
import urllib.request

WITHIN = 60.0  # seconds; a machine that restarts its containers starts them in any order


def settings(endpoint: str, within: float = WITHIN) -> str:
    """Return the settings of the local AWS, as JSON, once it is provisioned.

    Raises:
        OSError: it wasn't in time.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            with urllib.request.urlopen(f"{endpoint}/_filebatch/health", timeout=10) as answer:  # noqa: S310 - ours
                return json.dumps(json.load(answer)["settings"])
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


if __name__ == "__main__":
    os.environ["AIRFLOW_VAR_FILEBATCH"] = settings(os.environ["AWS_ENDPOINT_URL"])
    os.execvp("airflow", ["airflow", *sys.argv[1:]])  # noqa: S606, S607 - the image's own
