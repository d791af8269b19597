"""A shell of `make env` and the processes of `make up` are one Airflow: what one writes the other can read."""

import sys
from pathlib import Path

from filebatch_local.base.layout import Layout
from filebatch_local.serve.shell import environment
from local_system.config import Config, airflow_environment

SETTINGS = {"region": "eu-west-1"}


def test_they_share_home_connection_settings_and_key(tmp_path: Path) -> None:
    layout = Layout.here(tmp_path)
    shell = environment(layout, "http://127.0.0.1:1", SETTINGS, "key")
    system = airflow_environment(
        Config(layout, Path(sys.prefix) / "bin" / "python"), "http://127.0.0.1:1", SETTINGS, "key"
    )

    shared = (
        "AIRFLOW_HOME",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS",
        "AIRFLOW_CONN_AWS_DEFAULT",
        "AIRFLOW_VAR_FILEBATCH",
        "NO_PROXY",
        "no_proxy",
    )
    assert {name: shell[name] for name in shared} == {name: system[name] for name in shared}
