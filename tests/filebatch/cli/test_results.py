"""`filebatch results`: where the current results of a feed are, and what DuckDB makes of them."""

import json
from dataclasses import asdict

import duckdb
import pytest
from click.testing import CliRunner

from done import KEY, Bucket
from filebatch.cli.commands import main
from filebatch_local.base import access


@pytest.fixture
def run(place, tmp_path, monkeypatch):
    folder = tmp_path / "feeds"
    folder.mkdir()
    (folder / "orders.yaml").write_text("prefix: orders/\nstart: 2020-01-01\n")
    shell = {"AWS_ENDPOINT_URL": place.server.endpoint, "AIRFLOW_VAR_FILEBATCH": json.dumps(asdict(place.settings()))}
    for name, value in {**access.credentials(place.server.key), **shell}.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(main, ["--feeds", str(folder), "results", "orders", *arguments])


def table(place, folder, result, rows):
    """Write a result's table of so many rows; return its URI."""
    (output,) = result.outputs
    file = folder / output.key
    file.parent.mkdir(parents=True)
    duckdb.sql(f"SELECT range AS n FROM range({rows})").write_parquet(str(file))
    place.connect("s3").upload_file(str(file), place.results, output.key)
    return f"s3://{place.results}/{output.key}"


def test_a_view_over_current_tables_counts_each_row_once(run, place, tmp_path):
    bucket, local = Bucket(place), tmp_path / "results-bucket"
    row, other = bucket.arrive(), bucket.arrive("orders/b.csv")
    table(place, local, bucket.do(row), 4)
    again = table(place, local, bucket.do(row), 3)
    beside = table(place, local, bucket.do(other), 2)

    assert run().exit_code == 3  # of before they were kept
    rebuilt = run("--rebuild")
    assert (rebuilt.stdout.splitlines(), "keys looked up" in rebuilt.stderr) == ([again, beside], True)
    assert run().stdout.splitlines() == [again, beside]
    (first, _) = json.loads(run("--json").stdout)
    assert (first["key"], first["generation"], first["uri"]) == (KEY, 2, again)
    view = run("--sql").stdout
    with duckdb.connect() as connection:
        connection.execute(view.replace(f"s3://{place.results}", str(local)))
        assert connection.execute('SELECT count(*) FROM "orders"').fetchall() == [(5,)]
        every = connection.execute(f"SELECT count(*) FROM read_parquet('{local}/**/*.parquet')").fetchall()
        assert every == [(9,)]


def test_a_feed_without_results_ends_with_three(run):
    assert run("--json").exit_code == 3
    assert json.loads(run("--json").stdout) == []
    assert run("--sql").stdout == ""
