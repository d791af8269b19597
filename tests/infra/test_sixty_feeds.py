"""Sixty feeds fit into what AWS allows of each thing that is shared."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from infra.pretended import made_by_terraform
from infra.terraform import ROOT

pytestmark = pytest.mark.terraform

COUNT = 60
ALARMS = json.loads((ROOT / "infra" / "documents" / "alarms.json").read_text(encoding="utf-8"))
NAME = "feed-with-a-rather-long-name-number-{:02}"  # 39 of 40 characters


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    folder = tmp_path_factory.mktemp("sixty")
    for number in range(COUNT):
        text = f"prefix: partners/number-{number:02}/\nstart: 2026-01-01\nexpected_by: '10:30'\n"
        (folder / f"{NAME.format(number)}.yaml").write_text(text, encoding="utf-8")
    return made_by_terraform(folder, tmp_path_factory.mktemp("made"))


def of_kind(made: Mapping[str, Any], kind: str) -> list[Any]:
    return [values for address, values in made.items() if f"{kind}." in address]


def test_each_feed_has_all_that_is_its_own(made: Mapping[str, Any]) -> None:
    assert len(of_kind(made, "aws_batch_job_definition")) == COUNT
    assert len(of_kind(made, "aws_sqs_queue")) == 2 * COUNT + 1
    assert len(of_kind(made, "aws_cloudwatch_metric_alarm")) == len(ALARMS) * COUNT + 2


def test_no_role_outgrows_its_policies(made: Mapping[str, Any]) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (10,240 characters)"""
    sizes = {role: len(policy) for role, policy in made["outputs"]["policies"].items()}
    assert {role: size for role, size in sizes.items() if size > 10_240} == {}


def test_no_dashboard_has_more_widgets_than_cloudwatch_takes(made: Mapping[str, Any]) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html (500)"""
    widgets = [len(json.loads(each["dashboard_body"])["widgets"]) for each in of_kind(made, "aws_cloudwatch_dashboard")]
    assert max(widgets) <= 500
    assert sum(widgets) == 9 * COUNT


def test_names_are_as_long_as_aws_takes_them(made: Mapping[str, Any]) -> None:
    """Role, rule: 64 characters; queue: 80; alarm: 255."""
    for kind, longest in (("aws_iam_role", 64), ("aws_cloudwatch_event_rule", 64), ("aws_sqs_queue", 80)):
        assert [each["name"] for each in of_kind(made, kind) if len(each.get("name") or "") > longest] == [], kind
