"""Buttons of a task: to its run's files, and to the log of the container that matters most."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink

from filebatch.runs import pages


def base_url() -> str:
    """Return where people find Airflow (`[api] base_url`), without a slash at its end; "" where nobody has said it."""
    from airflow.sdk.configuration import conf

    return str(conf.get("api", "base_url", fallback="") or "").rstrip("/")


class FilesLink(BaseOperatorLink):
    """To the files of the task's run, on the Files page."""

    name: ClassVar[str] = "Files"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - as Airflow calls it
        """Return the page's address on Airflow's own host."""
        return pages.of_run(urlsplit(base_url()).path, ti_key.dag_id, ti_key.run_id)


class ContainerLogLink(BaseOperatorLink):
    """To the log of a container whose file failed, once there is one; Airflow asks in the process of the task."""

    name: ClassVar[str] = "Container log"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - as Airflow calls it
        """Return the page of CloudWatch's console, "" for none."""
        return str(getattr(operator, "container_log", None) or "")
