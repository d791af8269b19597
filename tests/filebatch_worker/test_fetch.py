"""Fetching exactly one version of a file."""

import gzip
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from filebatch_worker import fetch
from filebatch_worker.processor import InvalidFile

KINDS = ["whole", "in parts"]


@pytest.fixture(params=KINDS)
def get(request, place, tmp_path, monkeypatch):
    """Fetch a file to the test's folder, in one request or in several."""
    if request.param == "in parts":
        monkeypatch.setattr(fetch, "PARALLEL_FROM", 0)
    return lambda file: fetch.fetch(place.connect("s3"), file, tmp_path)


def test_the_very_version_is_fetched(place, get):
    old = place.put("orders/a b.csv", b"old")
    place.put("orders/a b.csv", b"newer")
    source = get(old)
    assert (source.path.read_bytes(), source.name, source.size) == (b"old", "a b.csv", 3)


def test_an_empty_file_is_fetched_as_it_is(place, get):
    assert get(place.put("orders/a.csv", b"")).path.read_bytes() == b""


def test_its_content_encoding_is_told_and_its_bytes_are_left_as_they_are(place, get):
    content = gzip.compress(b"a,b\n")
    source = get(place.put("orders/a.csv", content, ContentEncoding="gzip"))
    assert (source.path.read_bytes(), source.content_encoding) == (content, "gzip")
    assert get(place.put("orders/plain.csv", content)).content_encoding == ""


def test_the_name_is_the_keys_last_part_and_never_a_place_on_the_disk(place, get, tmp_path):
    source = get(place.put("orders/../../x.csv", b"x"))
    assert source.name == "x.csv"
    assert source.path.parent == tmp_path


def test_a_version_that_was_deleted_is_invalid(place, get):
    file = place.put("orders/a.csv")
    place.connect("s3").delete_object(Bucket=file.bucket, Key=file.key, VersionId=file.version_id)
    with pytest.raises(InvalidFile, match="deleted before its turn") as error:
        get(file)
    assert (error.value.code, error.value.where) == ("deleted", {"version": file.version})


def test_a_version_under_a_delete_marker_is_still_there(place, get):
    file = place.put("orders/a.csv", b"x")
    place.connect("s3").delete_object(Bucket=file.bucket, Key=file.key)
    assert get(file).size == 1


def test_a_file_deleted_in_a_bucket_without_versions_is_invalid(place, get):
    file = place.put("orders/a.csv", bucket=place.plain_files)
    place.connect("s3").delete_object(Bucket=file.bucket, Key=file.key)
    with pytest.raises(InvalidFile, match="deleted"):
        get(file)


def test_a_file_overwritten_in_a_bucket_without_versions_is_invalid(place, get):
    file = place.put("orders/a.csv", b"old", place.plain_files)
    place.put("orders/a.csv", b"new", place.plain_files)
    with pytest.raises(InvalidFile, match="overwritten"):
        get(file)


def late(place, *contents):
    """Put a file again and again into a bucket, whose versioning is switched on after the first."""
    first = place.put("orders/a.csv", contents[0], place.plain_files)
    place.connect("s3").put_bucket_versioning(Bucket=place.plain_files, VersioningConfiguration={"Status": "Enabled"})
    return [first, *(place.put("orders/a.csv", content, place.plain_files) for content in contents[1:])]


def test_a_file_from_before_its_bucket_kept_versions_is_still_there_under_newer_ones(place, get):
    first, second = late(place, b"old", b"newer")
    assert (first.version_id, get(first).path.read_bytes()) == ("null", b"old")
    assert get(second).path.read_bytes() == b"newer"


def test_a_file_from_before_its_bucket_kept_versions_is_still_there_under_a_delete_marker(place, get):
    (first,) = late(place, b"old")
    place.connect("s3").delete_object(Bucket=first.bucket, Key=first.key)
    assert get(first).path.read_bytes() == b"old"


def test_a_file_from_before_its_bucket_kept_versions_may_be_overwritten_when_versioning_is_suspended(place, get):
    first, _ = late(place, b"old", b"newer")
    place.connect("s3").put_bucket_versioning(Bucket=first.bucket, VersioningConfiguration={"Status": "Suspended"})
    again = place.put("orders/a.csv", b"null as well", first.bucket)
    assert again.version_id == "null"
    with pytest.raises(InvalidFile, match="overwritten"):
        get(first)


@pytest.mark.parametrize(
    ("sealed", "code"),
    [
        ({"StorageClass": "GLACIER"}, "archived"),
        ({"StorageClass": "DEEP_ARCHIVE"}, "archived"),
        ({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}, "encrypted"),
        ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:eu-west-1:999999999999:key/k"}, "encrypted"),
    ],
)
def test_a_file_that_its_sender_put_out_of_reach_is_invalid(place, get, sealed, code):
    with pytest.raises(fetch.Unreadable) as error:
        get(place.put("orders/a.csv", **sealed))
    assert error.value.code == code


@pytest.mark.parametrize("kind", ["STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR"])
def test_a_file_of_any_other_storage_class_is_fetched(place, get, kind):
    assert get(place.put("orders/a.csv", b"x", StorageClass=kind)).size == 1


def test_a_bucket_that_is_not_there_is_no_fault_of_the_file(place, tmp_path):
    with pytest.raises(ClientError):
        fetch.fetch(place.connect("s3"), replace(place.put("orders/a.csv"), bucket="nowhere-at-all"), tmp_path)
