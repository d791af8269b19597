"""The one Airflow plugin: makes filebatch known to Airflow, adds the Files page to its UI and notes to its runs."""

from airflow.plugins_manager import AirflowPlugin

from filebatch import run_notes
from filebatch.web.plugin_parts import VIEWS, LazyApps


class FilebatchPlugin(AirflowPlugin):
    """Shown under Admin → Plugins: a deployment without it has no filebatch on its plugins path."""

    name = "filebatch"
    fastapi_apps = LazyApps()
    external_views = VIEWS
    listeners = [run_notes]  # noqa: RUF012 - Airflow reads a list
