"""Settled claims as NDJSON: each file of a claim once, whatever is settled again; docs/history.md's queries of them."""

import json
import re
from dataclasses import replace

import duckdb
import pytest
from botocore.exceptions import ClientError

from aws import ROOT
from claims import RUN_ID, Held
from filebatch.core import paths
from filebatch.core.records import FileState
from filebatch.runs import announcing, run_history, settling

DOCUMENT = ROOT / "docs" / "history.md"
OWN = "0000000000000000"


def settled(place):
    held = Held(place, 3)
    held.finish(0)
    held.finish(1, FileState.INVALID)
    settling.settle(held.ctx, held.record, held.job("exit 70"))
    return held


def key_of(held):
    return paths.history("orders", held.record.opened_at[:10], held.token)


def written(held):
    body = held.ctx.s3.get_object(Bucket=held.ctx.results, Key=key_of(held))["Body"].read()
    return [json.loads(line) for line in body.splitlines()]


def test_an_announced_claim_has_a_line_for_each_file(place):
    held = settled(place)
    announcing.announce(held.ctx, OWN)
    lines = written(held)
    assert [line["key"] for line in lines] == [file.key for file in held.files]
    assert [line["state"] for line in lines] == ["SUCCEEDED", "INVALID", "FAILED"]
    assert {line["run_id"] for line in lines} == {RUN_ID}
    assert [line["code"] for line in lines] == [None, "truncated", "bug"]
    assert lines[0]["rows"] == 7
    assert "truncated" in lines[1].values()
    assert held.item(1).reason.message not in json.dumps(lines)
    assert lines[2]["job_id"] == held.record.job


def test_a_claim_that_is_settled_again_has_its_lines_once(place):
    held = settled(place)
    announcing.announce(held.ctx, OWN)
    held.another_round()
    held.finish(2)
    settling.settle(held.ctx, held.record, None)
    announcing.announce(held.ctx, OWN)
    assert [line["state"] for line in written(held)] == ["SUCCEEDED", "INVALID", "SUCCEEDED"]
    listed = held.ctx.s3.list_objects_v2(Bucket=held.ctx.results, Prefix="history/")
    assert [found["Key"] for found in listed["Contents"]] == [key_of(held)]


def test_where_s3_refuses_people_are_told_all_the_same(place, caplog):
    held = settled(place)

    class Refusing:
        def put_object(self, **_):
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject")

        def __getattr__(self, name):
            return getattr(held.place.connect("s3"), name)

    def connect(service):
        return Refusing() if service == "s3" else held.place.connect(service)

    told = announcing.announce(replace(held.ctx, connect=connect, plans={}), OWN)
    assert [each.summary.status for each in told] == ["FAILED"]
    assert "the history of run" in caplog.text
    assert "AccessDenied" in caplog.text


def test_a_line_is_one_line_whatever_strangers_wrote(place):
    held = Held(place, {"a": b"x"})
    hostile = replace(held.item(), key="orders/a\nb\u2028\"'.csv")
    text = json.dumps(run_history.line(held.record, hostile))
    assert len(text.splitlines()) == 1
    assert json.loads(text)["key"] == hostile.key


@pytest.mark.parametrize("number", [0, 1])
def test_the_documented_queries_answer(number, tmp_path, monkeypatch):
    lines = [
        {"state": "SUCCEEDED", "code": None, "arrived_at": "2026-01-02T03:00:00.000Z", "rows": 7},
        {"state": "SUCCEEDED", "code": None, "arrived_at": "2026-01-02T03:00:00.000Z", "rows": 3},
        {"state": "FAILED", "code": "bug", "arrived_at": "2026-01-02T03:00:00.000Z", "rows": None},
    ]
    for day in ("2026-01-02", "2026-01-03"):
        file = tmp_path / paths.history("orders", day, "0123456789abcdef-0001")
        file.parent.mkdir(parents=True)
        more = {"feed": "orders", "settled_at": "2026-01-02T03:00:30.000Z"}
        file.write_text("".join(json.dumps({**line, **more}) + "\n" for line in lines))
    monkeypatch.chdir(tmp_path)
    query = re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[number]
    rows = [tuple(map(str, row)) for row in duckdb.sql(query).fetchall()]
    told = [("FAILED", "bug", "1"), ("2", "10", "30.0")][number]
    assert rows == [("orders", day, *told) for day in ("2026-01-03", "2026-01-02")]


# Names that columns may have, of those that Athena takes in backticks alone where it makes a table:
# https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html
RESERVED = {"column", "date", "end", "interval", "map", "order", "partition", "range", "row", "rows", "set", "start"}
RESERVED |= {"table", "time", "timestamp", "trigger", "user", "values", "window"}


def columns_of(pattern):
    (found,) = re.findall(pattern, DOCUMENT.read_text(), re.DOTALL)
    return [column.split()[0] for column in found.split(",")]


def test_athenas_table_has_the_columns_of_a_line_and_quotes_what_athena_reserves(place):
    held = Held(place, 1)
    columns, parts = columns_of(r"CREATE EXTERNAL TABLE \w+ \((.*?)\)\n"), columns_of(r"PARTITIONED BY \((.*?)\)")
    assert {column.strip("`") for column in columns} == set(run_history.line(held.record, held.item()))
    assert not RESERVED & {*columns, *parts}
