"""What a recording says of requests."""

import base64
import json

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError

from filebatch_local.serve.background import local_aws


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Requests as others make them, and what was written down of them."""
    file = tmp_path_factory.mktemp("recording") / "requests.jsonl"
    with local_aws(options=("--record", str(file))) as aws:
        bucket = aws.settings["buckets"]["results"]
        aws.client("s3", "somebody").put_object(Bucket=bucket, Key="a key?", Body=b"content")
        with pytest.raises(ClientError):
            aws.client("s3", "other").get_object(Bucket=bucket, Key="none", VersionId="null")
        aws.client("dynamodb", "somebody").describe_table(TableName=aws.settings["ledger"])
        with pytest.raises(ClientError, match="AccessDenied"):
            aws.client("s3", signature_version=UNSIGNED).list_objects_v2(Bucket=bucket)
        written = file.read_text()
    assert aws.key not in written
    return [json.loads(line) for line in written.splitlines()]


def test_each_signed_request_is_one_line_and_says_who_made_it(recorded):
    mine = [each for each in recorded if each["key"] in ("somebody", "other")]
    assert [(each["key"], each["service"], each["method"], each["status"]) for each in mine] == [
        ("somebody", "s3", "PUT", 200),
        ("other", "s3", "GET", 404),
        ("somebody", "dynamodb", "POST", 200),
    ]


def test_paths_and_queries_are_as_they_came(recorded):
    put, got, _ = (each for each in recorded if each["key"] in ("somebody", "other"))
    assert put["path"].endswith("/a%20key%3F")
    assert got["query"] == "versionId=null"


def test_bodies_are_kept_but_for_what_files_hold(recorded):
    put, _, described = (each for each in recorded if each["key"] in ("somebody", "other"))
    assert put["body"] == ""
    assert list(json.loads(base64.b64decode(described["body"]))) == ["TableName"]


def test_what_was_not_let_in_is_not_there(recorded):
    assert not [each for each in recorded if each["query"].startswith("list-type")]
