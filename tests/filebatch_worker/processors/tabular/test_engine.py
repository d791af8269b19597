"""One engine serves many files, and none of them can see or break another's."""

import os
import subprocess
import sys

import duckdb
import pytest

from filebatch_worker.processors.tabular import engine as engines


@pytest.fixture(autouse=True)
def closed():
    engines.close()
    yield
    engines.close()


def databases():
    return [each.database for each in engines._engines]


def test_files_share_one_engine(run, refuse):
    run("a,b\n1,2\n")
    first = databases()
    refuse('{"a": 1}\n[', "t.json")
    assert run("a,b\n3,4\n").rows == [(3, 4)]
    assert databases() == first
    assert len(first) == 1


def test_nothing_of_a_file_is_left_for_the_next():
    with engines.engine() as (connection, folder):
        (folder / "t.csv").write_text("a\n1\n")
        connection.execute("CREATE TEMP TABLE key_lists AS SELECT 1")
    with engines.engine() as (connection, other):
        assert other != folder
        assert list(other.parent.iterdir()) == [other]
        with pytest.raises(duckdb.CatalogException):
            connection.execute("FROM key_lists")


def test_times_are_utc_for_every_file():
    code = (
        "from filebatch_worker.processors.tabular.engine import engine\n"
        "for _ in range(2):\n"
        "    with engine() as (connection, _):\n"
        "        print(connection.execute(\"SELECT current_setting('TimeZone')\").fetchone())"
    )
    environment = {"TZ": "America/New_York", "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["('UTC',)"] * 2


@pytest.mark.parametrize("error", [MemoryError, OSError, KeyboardInterrupt])
def test_an_engine_that_failed_is_closed(error):
    with pytest.raises(error), engines.engine() as (_, folder):
        raise error
    assert not databases()
    assert not folder.parent.exists()


def test_an_engine_that_refuses_all_work_is_closed(refuse, monkeypatch):
    monkeypatch.setattr(engines, "_is_sound", lambda _: False)
    assert refuse("").code == "empty"
    assert not databases()


def test_an_engine_with_an_error_within_itself_is_not_sound():
    connection = duckdb.connect()
    assert engines._is_sound(connection)
    connection.close()
    assert not engines._is_sound(connection)


def test_other_limits_are_another_engines(run, monkeypatch):
    run("a,b\n1,2\n")
    first = databases()
    monkeypatch.setenv("FILEBATCH_MEMORY_MIB", "777")
    run("a,b\n1,2\n")
    assert databases() != first
    with engines.engine() as (connection, _):
        assert connection.execute("SELECT current_setting('memory_limit')").fetchone() == ("466.0 MiB",)


def test_a_fork_opens_an_engine_of_its_own(run):
    run("a,b\n1,2\n")
    child = os.fork()
    if not child:
        os._exit(len(databases()))
    assert os.waitpid(child, 0)[1] == 0
    assert len(databases()) == 1
