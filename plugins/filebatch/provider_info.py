"""What Airflow is told of the installed package, which it lists under Admin → Providers."""

from __future__ import annotations

from typing import Any

NAME = "filebatch"


def get_provider_info() -> dict[str, Any]:
    """Return the package in the terms of Airflow's schema of providers.

    https://airflow.apache.org/docs/apache-airflow-providers/howto/create-custom-providers.html
    """
    return {
        "package-name": NAME,
        "name": NAME,
        "description": "Files that land in S3, each processed exactly once by a container on AWS Batch.",
        "integrations": [{"integration-name": NAME, "tags": ["software"]}],
        "operators": [_of("operators", "claim_files", "process_files", "publish_metrics", "notify")],
        "sensors": [_of("sensors", "wait_for_files")],
        "triggers": [_of("triggers", "arrivals", "pause", "round_job")],
        "extra-links": [f"filebatch.operators.links.{name}" for name in ("FilesLink", "ContainerLogLink")],
    }


def _of(folder: str, *modules: str) -> dict[str, Any]:
    return {"integration-name": NAME, "python-modules": [f"filebatch.{folder}.{module}" for module in modules]}
