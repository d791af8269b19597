"""What a stranger's file can't reach: the network, other files, the machine's memory."""

import json
import os
import subprocess
import sys

import duckdb
import pytest

from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular import engine as engines
from filebatch_worker.processors.tabular import json_file, measure, write
from filebatch_worker.processors.tabular.judge import Verdict
from filebatch_worker.processors.tabular.options import TabularOptions


@pytest.fixture
def opened():
    """The engine's connection and the folder that is its own."""
    with engines.engine() as (connection, folder):
        (folder / "inside.csv").write_text("a,b\n1,2\n")
        yield connection, folder


def test_files_of_its_folder_can_be_read(opened):
    connection, folder = opened
    assert connection.execute("SELECT * FROM read_csv(?)", [str(folder / "inside.csv")]).fetchall() == [(1, 2)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_text('{folder}/../../outside.txt')",
        "SELECT * FROM read_text('{folder}/link.txt')",
        "SELECT * FROM read_csv('https://example.com/x.csv')",
        "SELECT * FROM 's3://bucket/key.parquet'",
        "COPY (SELECT 1) TO '/tmp/filebatch-escaped.csv'",
        "ATTACH '/tmp/filebatch-escaped.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '100GB'",
        "SET enable_external_access = true",
    ],
)
def test_nothing_else_can_be_reached(opened, tmp_path, statement):
    connection, folder = opened
    outside = folder.parents[1] / "outside.txt"
    (tmp_path / "outside.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    outside.write_text("secret")
    try:
        with pytest.raises(duckdb.Error):
            connection.execute(statement.format(folder=folder)).fetchall()
    finally:
        outside.unlink()


@pytest.mark.parametrize(("told", "mib"), [("1024", 614), ("512.5", 307), ("10", 128)])
def test_memory_is_a_share_of_the_containers(monkeypatch, told, mib):
    monkeypatch.setenv("FILEBATCH_MEMORY_MIB", told)
    assert engines.memory_limit_mib() == mib


def test_memory_is_read_from_the_control_group_where_nobody_tells(monkeypatch, tmp_path):
    monkeypatch.delenv("FILEBATCH_MEMORY_MIB", raising=False)
    (tmp_path / "memory.max").write_text(f"{1000 * 1024**2}\n")
    (tmp_path / "unlimited").write_text("max\n")
    monkeypatch.setattr(engines, "_CGROUP_LIMITS", tuple(tmp_path / name for name in ("memory.max", "unlimited", "no")))
    assert engines.memory_limit_mib() == 600


@pytest.mark.parametrize(("told", "threads"), [("0.25", 1), ("1", 1), ("4", 4), ("1.5", 2)])
def test_threads_follow_the_vcpus(monkeypatch, told, threads):
    monkeypatch.setenv("FILEBATCH_VCPU", told)
    assert engines.thread_count() == threads


def test_what_does_not_fit_in_memory_is_no_fault_of_the_file(run, monkeypatch):
    monkeypatch.setattr(engines, "memory_limit_mib", lambda: 20)
    with pytest.raises(MemoryError):
        run("a,b\n1," + "x" * 30_000_000 + "\n")


def test_a_long_line_takes_less_than_seven_times_its_size(run, monkeypatch):
    monkeypatch.setattr(engines, "memory_limit_mib", lambda: 100)
    result = run("a,b\n1," + "x" * 15_000_000 + "\n2,y\n")
    assert result.profile["columns"][1]["min"] == "x" * 100


def test_a_first_row_is_not_taken_apart_in_memory_whatever_its_size(refuse):
    for content in ("x" * 17_000_000 + "\n1\n", '"' + "x,y\n" * 5_000_000):
        assert refuse(content).code == "line-too-long"


def test_an_object_of_more_than_the_engine_takes_is_said_in_our_words(refuse):
    error = refuse('{"a": 1}\n{"a": "' + "x" * 40_000_000 + '"}\n', "t.ndjson")
    assert (error.code, error.message) == ("line-too-long", "an object of the file has more than 16 MiB")


def test_a_column_of_objects_is_no_field_of_a_struct():
    """Each field of a struct is taken out once: under a condition the engine touches all of them for each."""
    from filebatch_worker.processors.tabular.json_objects import columns_of, rows_of

    keys = [f"key_{at}" for at in range(3)]
    assert rows_of("objects", keys).count("json_transform") == 1
    columns = list(columns_of(keys, TabularOptions()))
    assert not [column for column in columns if "fields." in column.text + str(column.json) + str(column.stored_json)]


def test_what_the_engine_quotes_is_kept_for_quarantine(opened, tmp_path):
    connection, _ = opened
    with pytest.raises(InvalidFile) as caught, engines.reading(tmp_path):
        connection.execute("SELECT CAST('Jane Roe\x1b[2J' AS INTEGER)").fetchall()
    assert caught.value.code == "unreadable"
    assert caught.value.summary == "this cannot be read as a table"
    assert caught.value.message == caught.value.summary
    assert "Jane Roe\x1b" in caught.value.where["reader"]


def test_a_full_disk_is_no_fault_of_the_file(run, monkeypatch, tmp_path):
    def full(*_):
        raise duckdb.IOException("IO Error: Could not write all bytes to file: No space left on device")

    monkeypatch.setattr("filebatch_worker.processors.tabular.pipeline.write_parquet", full)
    with pytest.raises(OSError, match="No space left"):
        run("a,b\n1,2\n")


def test_our_own_mistakes_are_no_fault_of_the_file(run, monkeypatch):
    monkeypatch.setattr("filebatch_worker.processors.tabular.write.identifier", lambda name: name)
    with pytest.raises(duckdb.ParserException):
        run('"a b c",d\n1,2\n')


def test_a_row_that_went_missing_is_noticed(run, monkeypatch):
    verdict = Verdict(bad=(), left_out="f0 = '1'")
    monkeypatch.setattr("filebatch_worker.processors.tabular.json_file.write_at_once", lambda *_: None)
    monkeypatch.setattr("filebatch_worker.processors.tabular.pipeline.judge", lambda *_: verdict)
    with pytest.raises(AssertionError, match="1 too few"):
        run('{"a": 1}\n{"a": 3}\n', "t.json")


def test_the_work_directory_holds_results_alone(run):
    processed = run("a,b\n1,2\n").processed
    workdir = processed.outputs[0].path.parent
    assert sorted(path.name for path in workdir.iterdir() if path.is_file()) == ["data.parquet", "profile.json"]
    assert not [path for path in workdir.rglob("*") if path.is_file() and path.parent != workdir]


def test_a_table_larger_than_the_memory_passes(tmp_path):
    """80 MB of CSV within a quarter of the memory that its text takes."""
    code = """
import re, sys
from pathlib import Path
from filebatch_worker.processor import Source, load_processor
work = Path(sys.argv[1]); path = work / "t.csv"
with path.open("w") as file:
    file.write("id,hash,number\\n")
    for at in range(2_000_000):
        file.write(f"{at},{at * 2654435761 % 2**32:032x},{at * 0.37:.2f}\\n")
processed = load_processor("tabular")(Source(path, "t.csv", path.stat().st_size), work / "out", {})
peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())  # ru_maxrss is that of the parent
print(processed.rows, int(peak[1]) // 1024)
"""
    environment = {
        "FILEBATCH_MEMORY_MIB": "300",
        "FILEBATCH_VCPU": "2",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    rows, peak = map(int, result.stdout.split())
    assert rows == 2_000_000
    assert peak < 300


@pytest.mark.parametrize("value", ["0.12345678901234568", '[1.5, "x"]'])
def test_many_columns_whose_numbers_are_compared_with_the_file_are_read_with_little_memory(run, monkeypatch, value):
    """Each comparison that made a text as large as the object took 100 times the file."""
    monkeypatch.setattr(engines, "memory_limit_mib", lambda: 200)
    monkeypatch.setattr(json_file, "_read", lambda *_: pytest.fail("it takes more than one pass"))
    row = ", ".join(f'"column {at}": {value}' for at in range(200))
    assert run(f"{{{row}}}\n" * 60, "t.ndjson").processed.rows == 60


def test_thousands_of_keys_are_read_with_little_memory(run, monkeypatch):
    """Each step of each column takes memory for 2,048 rows: all columns at once took more than twice as much."""
    monkeypatch.setattr(engines, "memory_limit_mib", lambda: 400)
    row = json.dumps({f"key_{at}": at if at % 3 else "text" for at in range(4_000)})
    assert run(f"{row}\n" * 10, "t.ndjson").processed.rows == 10


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "t.csv",
            ["a,b,c,d,e", *(f"{at},x{at},{at}.5,2026-01-{at:02},{at % 2}" for at in range(1, 29)), "1,x,oops,,1"],
        ),
        (
            "t.ndjson",
            [
                *(json.dumps({"a": at, "b": f"x{at}", "c": at / 2, "d": [at], "e": None}) for at in range(28)),
                '{"c": "oops"}',
            ],
        ),
    ],
)
def test_a_table_of_many_columns_is_written_in_parts_as_it_is_as_a_whole(run, monkeypatch, name, lines):
    options = {"columns": {"c": "float"}, "extra_columns": "keep", "max_bad_rows": 1}
    whole = run("\n".join(lines), name, **options)
    monkeypatch.setattr(measure, "VALUES_AT_ONCE", 2)
    monkeypatch.setattr(write, "VALUES_AT_ONCE", 2)
    parts = run("\n".join(lines), name, **options)
    assert (parts.rows, parts.columns, parts.profile, parts.rejects) == (
        whole.rows,
        whole.columns,
        whole.profile,
        whole.rejects,
    )
    assert (len(parts.rows), len(parts.rejects)) == (28, 1)
