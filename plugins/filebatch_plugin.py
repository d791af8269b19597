"""The one Airflow plugin: makes filebatch known to Airflow, which otherwise finds its parts by import."""

from airflow.plugins_manager import AirflowPlugin


class FilebatchPlugin(AirflowPlugin):
    """Shown under Admin → Plugins: a deployment without it has no filebatch on its plugins path."""

    name = "filebatch"
