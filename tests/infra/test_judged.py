"""The judge of recordings: names of one environment are put for another's, and what no policy allows is named."""

import json

import pytest

from golden import golden
from infra import judged

SETTINGS = {
    **golden("settings"),
    "queue_prefix": "http://127.0.0.1:1/123456789012/filebatch-test-",
}


@pytest.fixture
def recording(tmp_path):
    """A file of requests, as a local AWS writes it."""

    def write(*requests):
        file = tmp_path / "requests.jsonl"
        file.write_text("".join(json.dumps(each) + "\n" for each in requests))
        return file

    return write


def request(key="airflow", service="s3", method="GET", path="/", status=200, query=""):
    found = {"key": key, "region": "eu-west-1", "service": service, "method": method, "path": path}
    return {**found, "status": status, "query": query, "headers": {}, "body": ""}


LOOKS = request(method="HEAD", path="/filebatch-test-new-files/orders/a.csv")


def test_what_a_role_may_do_in_another_environment_it_may_do_here(recording):
    work = request(
        "filebatch-local-job-orders", method="PUT", path="/filebatch-test-results/results/orders/x/_result.json"
    )
    judged.judge(recording(LOOKS, work), SETTINGS)


@pytest.mark.parametrize(
    ("done", "named"),
    [
        (request(method="DELETE", path="/filebatch-test-new-files/orders/a.csv"), "airflow.*s3:DeleteObject"),
        (request(method="GET", path="/somebody-elses/a.csv"), "airflow.*somebody-elses"),
        (request("filebatch-local-job-orders", method="PUT", path="/filebatch-test-new-files/a"), "job.*s3:PutObject"),
    ],
)
def test_what_a_role_may_not_do_is_named(recording, done, named):
    with pytest.raises(AssertionError, match=named):
        judged.judge(recording(LOOKS, done), SETTINGS)


def test_what_others_do_is_their_business(recording):
    judged.judge(recording(LOOKS, request("partner", method="DELETE", path="/filebatch-test-results/x")), SETTINGS)


def test_a_recording_without_airflow_is_no_evidence(recording):
    with pytest.raises(AssertionError, match="nothing"):
        judged.judge(recording(request("partner")), SETTINGS)
