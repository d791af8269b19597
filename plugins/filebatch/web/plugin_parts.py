"""What the plugin adds to Airflow, without FastAPI until the API server asks for the application.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/plugins.html
"""

from __future__ import annotations

from typing import Any

PREFIX = "/filebatch"
PAGE = f"{PREFIX}/page"

VIEWS: list[dict[str, Any]] = [
    {"name": "Files", "href": PAGE, "url_route": "filebatch", "destination": "nav", "category": "browse"},
    {"name": "Files", "href": f"{PAGE}?feed={{DAG_ID}}", "url_route": "files", "destination": "dag"},
    {
        "name": "Files",
        "href": f"{PAGE}?feed={{DAG_ID}}&run={{RUN_ID}}",
        "url_route": "run-files",
        "destination": "dag_run",
    },
]


class LazyApps:
    """The plugin's `fastapi_apps`, made when they are read: all processes load plugins, the API server reads it."""

    def __get__(self, instance: object | None, owner: type) -> list[dict[str, Any]]:
        """Return the application, made once for a plugin; nothing for the class itself."""
        if instance is None:
            return []
        from filebatch.web.app import build

        apps = [{"app": build(), "url_prefix": PREFIX, "name": "filebatch"}]
        instance.__dict__["fastapi_apps"] = apps
        return apps
