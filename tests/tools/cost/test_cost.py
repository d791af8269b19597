"""The tables of docs/cost.md: made from the counted calls, the price table and a model that agrees with the code."""

import json
import re
from dataclasses import replace

import pytest

from aws import ROOT
from cost import __main__ as command
from cost import calls, model, tables
from cost.model import Files
from filebatch.core.usage import Usage
from filebatch.runs import billing, prices
from filebatch.triggers import health_reporter, listener, watch

CALLS = json.loads(command.CALLS.read_text(encoding="utf-8"))
REGION = "us-east-1"


def test_the_documents_tables_are_those_that_the_command_makes():
    document = command.DOCUMENT.read_text(encoding="utf-8")
    assert command.made(document) == document, "make cost"


def test_every_call_of_a_file_is_explained():
    assert CALLS.keys() == tables.MEANS.keys()


def test_the_model_knows_how_often_a_doorbell_asks():
    assert (model.LONG_POLL, model.LOOK_EVERY, model.REPORT_EVERY) == (
        listener.LONG_POLL,
        watch.LOOK_EVERY,
        health_reporter.REPORT_EVERY,
    )


def test_the_model_counts_what_a_feed_publishes_while_nothing_comes():
    health = (ROOT / "plugins" / "filebatch" / "queries" / "health.py").read_text(encoding="utf-8")
    of_runs = {"RunCompleted", "FilesClaimed", "BilledVcpuSeconds", "BilledGibSeconds"}
    assert len(set(re.findall(r'datum\([\w.]+, "(\w+)"', health)) - of_runs) == model.METRICS_IDLE


@pytest.mark.parametrize(("unit", "seconds"), [(1, 60 * 100), (100, 60), (50, 2 * 60)])
def test_small_files_pay_for_a_minute_a_container(unit, seconds):
    assert Files("f", 100, 1, 0.05, 0.1, unit).container_seconds == seconds


def test_a_container_that_works_for_longer_is_billed_for_as_long():
    assert Files("f", 10, 1, 45.0, 10.0, 5).container_seconds == 2 * (5 + 500)


def test_packing_saves_containers_and_nothing_else():
    alone, packed = (model.ours(replace(model.LOADS[0], unit=unit), CALLS) for unit in (1, 100))
    differ = {one.what for one, other in zip(alone, packed, strict=True) if one != other}
    assert differ == {"vCPU·h of containers", "GiB·h of containers", "S3: fetching"}
    assert model.total(packed[:2], REGION) == pytest.approx(model.total(alone[:2], REGION) / 100)


def test_containers_cost_what_a_run_is_told_that_they_do():
    load = model.LOADS[1]
    billed = billing.Billed(1, Usage(load.container_seconds * load.vcpu, load.container_seconds))
    assert model.total(model.ours(load, CALLS)[:2], REGION) == pytest.approx(prices.at_most(billed, REGION, "X86_64"))


def test_snowpipe_is_billed_by_the_gigabyte():
    assert model.snowpipe(Files("f", 1000, 2**30, 1.0, 1.0, 1)) == pytest.approx(1000 * 0.0037 * 2)


def test_a_document_without_a_place_for_a_table_is_refused():
    with pytest.raises(ValueError, match="<!-- cost: idle -->"):
        tables.into("no marks", {"idle": ["|"]})


def test_each_table_goes_between_its_own_marks():
    document = "<!-- cost: one -->\nold\n<!-- /cost: one -->\ntext\n<!-- cost: two -->\n<!-- /cost: two -->\n"
    made = tables.into(document, {"one": ["1"], "two": ["2", "3"]})
    assert made == "<!-- cost: one -->\n1\n<!-- /cost: one -->\ntext\n<!-- cost: two -->\n2\n3\n<!-- /cost: two -->\n"


def request(service, method, path, query="", target="", key="airflow"):
    headers = {"x_amz_target": target} if target else {}
    return {"key": key, "service": service, "method": method, "path": path, "query": query, "headers": headers}


def test_recorded_requests_are_counted_by_operation_but_for_those_of_lookers_on():
    found = calls.counted(
        [
            request("s3", "GET", "/bucket/a/key"),
            request("s3", "GET", "/bucket", "versions"),
            request("s3", "GET", "/bucket", "list-type=2"),
            request("dynamodb", "POST", "/", target="DynamoDB_20120810.GetItem"),
            request("batch", "POST", "/v1/submitjob"),
            request("sts", "POST", "/"),
            request("s3", "PUT", "/bucket/a/key", key="filebatch-local"),
        ]
    )
    assert found == {
        "s3.GetObject": 1,
        "s3.ListObjectVersions": 1,
        "s3.ListObjectsV2": 1,
        "dynamodb.GetItem": 1,
        "batch.submitjob": 1,
    }
