"""Airflow's API server and UI alone, as `make up` starts it, on a database of its own."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from aws import until
from filebatch_local.base.layout import Layout
from filebatch_local.base.ports import free_port
from local_system import airflow, parts
from local_system.config import Config, airflow_environment


@contextmanager
def api_server(
    folder: Path, prepare: Callable[[Config, dict[str, str]], None] | None = None, **environment: str
) -> Iterator[Config]:
    """Start one with the database that set-up made for this interpreter's Airflow; end it afterwards.

    `prepare` gets the server's environment before it starts; `environment` comes before what is usual.
    """
    config = Config(Layout.here(folder), Path(sys.executable), api_port=free_port())
    config.home.mkdir(parents=True)
    shutil.copy(Layout.here().airflow_home(Path(sys.prefix)) / "pristine.db", config.home / "airflow.db")
    airflow.new_password(config.passwords)
    usual = airflow_environment(config, "http://127.0.0.1:1", {"region": "x"}, "key")
    if prepare:
        prepare(config, usual | environment)
    part = parts.start(config, "api-server", usual | environment)
    parts.record(config, [part])
    try:
        until(lambda: not part.is_alive() or _answers(config), seconds=120, every=0.2)
        assert part.is_alive(), parts.log_file(config, "api-server").read_text()
        yield config
    finally:
        parts.stop([part])


def _answers(config: Config) -> bool:
    try:
        airflow.ask(config.api, "GET", "/api/v2/version")
    except httpx.HTTPStatusError as error:
        pytest.fail(f"{error}: {error.response.text}")
    except httpx.HTTPError:
        return False
    return True
