# ruff: noqa: INP001 - a script, not a package
"""Exits 0 if Airflow calls one of its parts healthy, for containers' healthchecks: `healthy.py scheduler`.

Asking the API server costs a few milliseconds of CPU, `airflow jobs check` five seconds.
"""

import json
import os
import sys
import urllib.request


def status(api: str, part: str) -> str:
    """Return what the API server at `api` says of a part: healthy, unhealthy or, without a heartbeat yet, unknown."""
    with urllib.request.urlopen(f"{api}/api/v2/monitor/health", timeout=8) as answer:  # noqa: S310 - our own API server
        return str((json.load(answer).get(part) or {}).get("status") or "unknown")


if __name__ == "__main__":
    found = status(os.environ["FILEBATCH_AIRFLOW_API"], sys.argv[1])
    sys.exit(None if found == "healthy" else f"{sys.argv[1]}: {found}")
