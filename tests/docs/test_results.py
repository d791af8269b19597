"""What docs/results.md says of reading results, done: its queries count each row once."""

import re

import duckdb
import pytest

from aws import ROOT, feed_of
from done import Bucket
from filebatch.core import paths
from filebatch.runs import current_results

TEXT = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")


def blocks(section, language="sql"):
    (found,) = re.findall(rf"## {section}\n(.*?)(?=\n## |\Z)", TEXT, re.DOTALL)
    return re.findall(rf"```{language}\n(.*?)```", found, re.DOTALL)


@pytest.fixture
def results(place, tmp_path):
    """A folder that holds what the results bucket of a feed has: two files, one of them done twice."""
    bucket = Bucket(place)
    for number, (key, times) in enumerate({"orders/a.csv": 2, "orders/b.csv": 1}.items()):
        row = bucket.arrive(key)
        for time in range(times):
            (output,) = bucket.do(row).outputs
            file = tmp_path / output.key
            file.parent.mkdir(parents=True)
            duckdb.sql(f"SELECT range AS n FROM range({3 + number + time})").write_parquet(str(file))
            current_results.add(bucket.ctx, [bucket.ctx.ledger.get(row)])
    for part in current_results.parts(bucket.ctx):
        for key in (paths.current_results("orders", part), paths.current_table("orders", "data.parquet", part)):
            body = bucket.ctx.s3.get_object(Bucket=bucket.ctx.results, Key=key)["Body"].read()
            (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / key).write_bytes(body.replace(f"s3://{bucket.ctx.results}".encode(), str(tmp_path).encode()))
    return tmp_path


def test_duckdb_counts_each_row_of_what_is_current_once(results):
    tables, days = blocks("DuckDB")
    local = {"s3://RESULTS": str(results), "current/weather": "current/orders"}
    with duckdb.connect() as connection:
        found = [connection.execute(_with(sql, local)).fetchall() for sql in (tables, days)]
    assert found[0] == [(4 + 4,)]
    assert sum(rows for _, _, rows in found[1]) == 14  # as the results say
    assert sum(files for _, files, _ in found[1]) == 2


def _with(sql, names):
    for name, local in names.items():
        sql = sql.replace(name, local)
    return sql


def test_athena_is_told_the_folder_of_the_lists_and_each_line_of_them_is_a_table(results):
    (created,) = blocks("Athena")
    (location,) = re.findall(r"LOCATION 's3://RESULTS/(.*)';", created)
    folder = results / location.replace("weather", "orders")
    listed = [uri for each in folder.iterdir() for uri in each.read_text().splitlines()]
    assert len(listed) == 2
    assert all(duckdb.sql(f"SELECT count(*) FROM read_parquet('{uri}')").fetchall() == [(4,)] for uri in listed)


def test_spark_is_told_the_folder_and_the_names_that_lines_have(results):
    (program,) = blocks("Spark", "python")
    (folder,) = re.findall(r's3://RESULTS/(.*?)"', program)
    lines = duckdb.sql(f"SELECT * FROM read_json('{results}/{folder.replace('weather', 'orders')}*.ndjson')")
    assert {"name", "uri"} <= set(lines.columns)
    assert all(f"`{name}`" in TEXT for name in lines.columns)


def test_the_page_names_the_part_of_keys_without_a_date():
    assert f"`{current_results.part_of(feed_of(), 'orders/a.csv')}`" in TEXT
