"""What moto lacks in S3 and s3.py adds: each of these fails on moto 5.2.5 as it is."""

import contextlib
import io
import json
import os
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

import psutil
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

MIB = 2**20


@pytest.fixture
def bucket(clients):
    name = f"bucket-{uuid.uuid4()}"
    clients("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


@contextlib.contextmanager
def peak_memory(pid):
    """Watch how far a process's memory grows, in MiB."""
    process, over, grown = psutil.Process(pid), threading.Event(), [0.0]
    before = process.memory_info().rss

    def watch():
        while not over.wait(0.005):
            grown[0] = max(grown[0], (process.memory_info().rss - before) / MIB)

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield grown
    over.set()
    watcher.join()


def open_files(pid):
    """Return the files that a process has open and nobody else can find."""
    return [one for one in Path(f"/proc/{pid}/fd").iterdir() if "(deleted)" in str(one.readlink())]


def put_large(clients, bucket, key, content):
    config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=2)
    clients("s3").upload_fileobj(io.BytesIO(content), bucket, key, Config=config)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_a_large_object_is_on_the_disk_and_a_small_one_is_not(aws, clients, bucket):
    before = len(open_files(aws.pid))
    clients("s3").put_object(Bucket=bucket, Key="small", Body=b"x" * MIB)
    assert len(open_files(aws.pid)) == before
    clients("s3").put_object(Bucket=bucket, Key="large", Body=b"x" * (MIB + 1))
    assert len(open_files(aws.pid)) == before + 1


def test_a_multipart_upload_and_ranges_of_it_take_little_memory(aws, clients, bucket):
    content = os.urandom(MIB) * 96
    with peak_memory(aws.pid) as grown:
        put_large(clients, bucket, "large", content)
    assert grown[0] < 150  # parts that are on their way at once; the whole object, thrice, was 288
    with peak_memory(aws.pid) as grown:
        for start in range(0, 96 * MIB, 24 * MIB):
            span = f"bytes={start}-{start + MIB - 1}"
            found = clients("s3").get_object(Bucket=bucket, Key="large", Range=span)
            assert found["ContentRange"] == f"bytes {start}-{start + MIB - 1}/{96 * MIB}"
            assert found["Body"].read() == content[start : start + MIB]
        assert clients("s3").get_object(Bucket=bucket, Key="large")["Body"].read() == content
    assert grown[0] < 30


@pytest.mark.parametrize("size", [0, 10, 3 * MIB])
@pytest.mark.parametrize(
    ("span", "expected"), [("bytes=2-5", slice(2, 6)), ("bytes=-3", slice(-3, None)), ("bytes=4-", slice(4, None))]
)
def test_ranges_are_those_of_the_object(clients, bucket, size, span, expected):
    content = os.urandom(size)
    clients("s3").put_object(Bucket=bucket, Key="one", Body=content)
    if not size and not span.startswith("bytes=-"):
        with pytest.raises(ClientError, match="InvalidRange"):
            clients("s3").get_object(Bucket=bucket, Key="one", Range=span)
        return
    assert clients("s3").get_object(Bucket=bucket, Key="one", Range=span)["Body"].read() == content[expected]


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"])
def test_a_multipart_uploads_checksum_and_etag(clients, bucket, algorithm):
    s3, parts = clients("s3"), [os.urandom(5 * MIB), b"the rest"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="one", ChecksumAlgorithm=algorithm)["UploadId"]
    place = {"Bucket": bucket, "Key": "one", "UploadId": upload}
    done = [s3.upload_part(**place, PartNumber=number, Body=part)["ETag"] for number, part in enumerate(parts, 1)]
    numbered = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(done, 1)]
    with pytest.raises(ClientError, match="InvalidPart"):
        s3.complete_multipart_upload(**place, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": "other"}]})
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": numbered})
    found = s3.get_object(Bucket=bucket, Key="one", ChecksumMode="ENABLED")
    assert found["ETag"].endswith('-2"')
    assert found[f"Checksum{algorithm}"].endswith("-2")
    assert found["Body"].read() == b"".join(parts)


def test_a_reader_gets_the_object_it_began_to_read(clients, bucket):
    old, new = b"a" * (4 * MIB), b"b" * (4 * MIB)
    clients("s3").put_object(Bucket=bucket, Key="one", Body=old)
    body = clients("s3").get_object(Bucket=bucket, Key="one")["Body"]
    start = body.read(MIB)
    clients("s3").put_object(Bucket=bucket, Key="one", Body=new)
    assert start + body.read() == old


def outcomes(write, count=8):
    """Write at once from several threads; return how often it worked."""
    gate = threading.Barrier(count)

    def attempt(number):
        gate.wait()
        try:
            write(number)
        except ClientError as error:
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412)
            return 0
        return 1

    with ThreadPoolExecutor(count) as pool:
        return sum(pool.map(attempt, range(count)))


def test_of_many_conditional_puts_one_wins(clients, bucket):
    s3 = clients("s3")
    body = b"x" * (2 * MIB)
    for round_ in range(3):
        key = f"one-{round_}"
        assert outcomes(lambda n, key=key: s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")) == 1


def test_of_many_conditional_completions_one_wins(clients, bucket):
    s3 = clients("s3")
    uploads = []
    for _ in range(8):
        upload = s3.create_multipart_upload(Bucket=bucket, Key="one")["UploadId"]
        part = s3.upload_part(Bucket=bucket, Key="one", UploadId=upload, PartNumber=1, Body=b"x" * (6 * MIB))
        uploads.append((upload, part["ETag"]))

    def complete(number):
        upload, etag = uploads[number]
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        s3.complete_multipart_upload(Bucket=bucket, Key="one", UploadId=upload, MultipartUpload=parts, IfNoneMatch="*")

    assert outcomes(complete) == 1


def test_a_tls_only_policy_denies_nothing_here(clients, bucket):
    s3, everything = clients("s3"), f"arn:aws:s3:::{bucket}/*"
    tls_only = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": everything,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [tls_only]}))
    s3.put_object(Bucket=bucket, Key="one", Body=b"x")
    closed = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{everything[:-1]}closed/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [tls_only, closed]}))
    assert s3.get_object(Bucket=bucket, Key="one")["Body"].read() == b"x"
    s3.put_object(Bucket=bucket, Key="closed/one", Body=b"x")
    with pytest.raises(ClientError):
        s3.get_object(Bucket=bucket, Key="closed/one")


def test_eventbridge_is_read_back(clients, bucket):
    s3 = clients("s3")
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket=bucket)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    assert s3.get_bucket_notification_configuration(Bucket=bucket)["EventBridgeConfiguration"] == {}


@pytest.mark.parametrize("key", ["a b/c+d%25ä.csv", "a\nb", "../up", "quote\"'", "x" * 1000])
def test_any_key_is_kept_as_it_is(clients, bucket, key):
    s3 = clients("s3")
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [one["Key"] for one in s3.list_object_versions(Bucket=bucket)["Versions"]] == [key]
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"


@pytest.mark.parametrize("key", ["d+e.txt", "a b%25", "a\x01b", "ä/+"])
def test_versions_are_listed_encoded_where_that_is_asked_for(clients, bucket, key):
    s3 = clients("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.delete_object(Bucket=bucket, Key=key)
    asked = {"Bucket": bucket, "EncodingType": "url", "Prefix": key[0], "Delimiter": "+"}
    listed = s3.list_object_versions(**asked)
    assert listed["EncodingType"] == "url"
    found = [each["Key"] for name in ("Versions", "DeleteMarkers") for each in listed.get(name, [])]
    found += [each["Prefix"] for each in listed.get("CommonPrefixes", [])]
    assert {unquote(each) for each in found} == {key if "+" not in key else key[: key.index("+") + 1]}
    assert all(each.isascii() and "+" not in each for each in found)
    assert unquote(listed["Prefix"]) == key[0]


@pytest.mark.parametrize("versioned", [False, True], ids=["without versions", "versioned since"])
def test_an_object_from_before_versions_is_version_null(clients, bucket, versioned):
    s3 = clients("s3")
    s3.put_object(Bucket=bucket, Key="one", Body=b"x")
    if versioned:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=bucket, Key="one", Body=b"newer")
    assert s3.head_object(Bucket=bucket, Key="one", VersionId="null")["ContentLength"] == 1
    assert s3.get_object(Bucket=bucket, Key="one", VersionId="null")["Body"].read() == b"x"
    s3.copy_object(Bucket=bucket, Key="two", CopySource={"Bucket": bucket, "Key": "one", "VersionId": "null"})
    assert s3.get_object(Bucket=bucket, Key="two")["Body"].read() == b"x"


CUSTOMERS = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
SEALED = {
    "a key of its sender's": (CUSTOMERS, "InvalidRequest", 400),
    "a KMS key of another account": (
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:eu-west-1:999999999999:key/k"},
        "AccessDenied",
        403,
    ),
    "an archive": ({"StorageClass": "DEEP_ARCHIVE"}, "InvalidObjectState", 403),
}


@pytest.mark.parametrize(("sealed", "code", "status"), SEALED.values(), ids=list(SEALED))
def test_what_cannot_be_read_without_more_is_refused(clients, bucket, sealed, code, status):
    s3 = clients("s3")
    s3.put_object(Bucket=bucket, Key="one", Body=b"x", **sealed)
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="one")
    assert error.value.response["Error"]["Code"] == code
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    with pytest.raises(ClientError):
        s3.copy_object(Bucket=bucket, Key="two", CopySource={"Bucket": bucket, "Key": "one"})
    if code != "InvalidObjectState":  # which HEAD answers
        with pytest.raises(ClientError) as error:
            s3.head_object(Bucket=bucket, Key="one")
        assert error.value.response["Error"]["Code"] == str(status)


def test_who_has_the_key_reads_what_is_encrypted_with_it(clients, bucket):
    s3 = clients("s3")
    s3.put_object(Bucket=bucket, Key="one", Body=b"x", **CUSTOMERS)
    assert s3.get_object(Bucket=bucket, Key="one", **CUSTOMERS)["Body"].read() == b"x"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket=bucket, Key="one", SSECustomerAlgorithm="AES256", SSECustomerKey="o" * 32)
