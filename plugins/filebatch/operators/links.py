"""Buttons of a task: to its run's files, and to the log of the container that matters most."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.sdk import BaseOperatorLink

from filebatch import web_links


class FilesLink(BaseOperatorLink):
    """To the files of the task's run, on the Files page."""

    name: ClassVar[str] = "Files"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - as Airflow calls it
        """Return the page's address below Airflow's own."""
        return web_links.of_run(web_links.path(), ti_key.dag_id, ti_key.run_id)


class ContainerLogLink(BaseOperatorLink):
    """To the log of a container whose file failed, once there is one; Airflow asks in the process of the task."""

    name: ClassVar[str] = "Container log"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - as Airflow calls it
        """Return the page of CloudWatch's console, "" for none."""
        return str(getattr(operator, "container_log", None) or "")
