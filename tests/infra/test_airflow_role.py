"""Airflow's role ends jobs of its own environment, and can't make other jobs its own."""

import json
from base64 import b64encode
from typing import Any

import pytest

from filebatch.runs.jobs import ENVIRONMENT_TAG
from golden import golden
from infra import judged, policies

SETTINGS = golden("settings")
OWN = SETTINGS["environment"]
STATEMENTS = golden("roles")["policies"]["airflow"]


def request(path: str, key: str = "airflow", answer: Any = None, **body: Any) -> str:
    encoded = b64encode(json.dumps(body).encode()).decode()
    told = b64encode(json.dumps(answer).encode()).decode() if answer else ""
    found = {"key": key, "region": "eu-west-1", "service": "batch", "method": "POST", "path": path, "query": ""}
    return json.dumps({**found, "headers": {}, "body": encoded, "answer": told})


def submitted(by: str = "airflow", **more: Any) -> str:
    request_ = {"jobName": "x", "jobQueue": SETTINGS["job_queue"], "jobDefinition": "filebatch-test-orders"}
    return request("/v1/submitjob", by, {"jobId": "j"}, **request_, **more)


def tags(environment: str = OWN, **more: str) -> dict[str, str]:
    return {ENVIRONMENT_TAG: environment, **more}


ENDS = request("/v1/terminatejob", jobId="j", reason="x")


def refused(*lines: str) -> list[str]:
    return [call.action for call in policies.denied(STATEMENTS, judged.made(lines, SETTINGS))]


def test_it_submits_jobs_with_the_environments_tag_and_ends_them():
    assert refused(submitted(tags=tags()), ENDS) == []


@pytest.mark.parametrize("other", [{}, {"tags": {}}, {"tags": {"Application": "x"}}, {"tags": tags("filebatch-prod")}])
def test_it_ends_no_job_that_others_submitted(other):
    assert refused(submitted("somebody", **other), ENDS) == ["batch:terminatejob"]


@pytest.mark.parametrize("other", [tags("filebatch-prod"), {"Application": "x"}, tags(Name="x")])
def test_it_submits_no_job_with_another_tag(other):
    assert "batch:TagResource" in refused(submitted(tags=other))


def test_it_tags_no_job_that_is_there_already():
    (statement,) = [each for each in STATEMENTS if "batch:TagResource" in policies.listed(each["Action"])]
    assert not [arn for arn in statement["Resource"] if ":job/" in arn]
    job = "arn:aws:batch:eu-west-1:123456789012:job/j"
    asked = policies.Call("airflow", "batch:TagResource", job, (("aws:TagKeys", ENVIRONMENT_TAG),))
    assert policies.denied(STATEMENTS, [asked]) == [asked]


def test_it_submits_to_no_other_queue():
    body = {"jobName": "x", "jobQueue": "others", "jobDefinition": "filebatch-test-orders"}
    assert refused(request("/v1/submitjob", **body)) == ["batch:SubmitJob"]
