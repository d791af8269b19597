"""Airflow's API server and UI alone, as `make up` starts it, on a database of its own."""

import shutil
import sys
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aws import until
from filebatch_local.base.layout import Layout
from local_system import airflow, parts
from local_system.place import Place, airflow_environment


@contextmanager
def api_server(folder: Path) -> Iterator[Place]:
    """Start one with the database that set-up made for this interpreter's Airflow; end it afterwards."""
    place = Place(Layout.here(folder), Path(sys.executable), api_port=parts.free_port())
    place.home.mkdir(parents=True)
    shutil.copy(Layout.here().airflow_home(Path(sys.prefix)) / "pristine.db", place.home / "airflow.db")
    airflow.new_password(place.passwords)
    part = parts.start(place, "api-server", airflow_environment(place, "http://127.0.0.1:1", {"region": "x"}, "key"))
    parts.record(place, [part])
    try:
        until(lambda: not part.is_alive() or _answers(place), seconds=120, every=0.2)
        assert part.is_alive(), parts.log_file(place, "api-server").read_text()
        yield place
    finally:
        parts.stop([part])


def _answers(place: Place) -> bool:
    try:
        airflow.ask(place.api, "GET", "/api/v2/version")
    except urllib.error.HTTPError as error:
        pytest.fail(f"{error}: {error.read().decode()}")
    except OSError:
        return False
    return True
