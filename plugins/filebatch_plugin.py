"""The one Airflow plugin: makes filebatch known to Airflow, and adds the Files page to its UI."""

from airflow.plugins_manager import AirflowPlugin

from filebatch.web.plugin_parts import VIEWS, LazyApps


class FilebatchPlugin(AirflowPlugin):
    """Shown under Admin → Plugins: a deployment without it has no filebatch on its plugins path."""

    name = "filebatch"
    fastapi_apps = LazyApps()
    external_views = VIEWS
