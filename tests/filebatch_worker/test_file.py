"""What went wrong with a file, in the taxonomy's words."""

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from filebatch import errors, failures
from filebatch_worker import processor
from filebatch_worker.__main__ import _exit_code
from filebatch_worker.file import classify


def refusal(code):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "out_of_memory"),
        (errors.ConfigurationError("x"), "configuration"),
        (errors.ContractError("x"), "configuration"),
        (processor.ConfigurationError("x"), "configuration"),
        (refusal("AccessDenied"), "configuration"),
        (refusal("NoSuchBucket"), "configuration"),
        (refusal("SlowDown"), "transient"),
        (refusal("InternalError"), "transient"),
        (refusal("ProvisionedThroughputExceededException"), "transient"),
        (EndpointConnectionError(endpoint_url="http://nowhere"), "transient"),
        (ReadTimeoutError(endpoint_url="http://nowhere"), "transient"),
        (processor.TransientError("x"), "transient"),
        (ConnectionResetError(), "transient"),
        (TimeoutError(), "transient"),
        (ValueError("x"), "bug"),
        (KeyError("x"), "bug"),
        (OSError("x"), "bug"),
    ],
)
def test_what_was_raised_has_a_name(error, code):
    assert classify(error) == code
    assert failures.failure(code)


@pytest.mark.parametrize(
    ("hidden", "code"),
    [(refusal("AccessDenied"), "configuration"), (refusal("SlowDown"), "transient"), (None, "transient")],
)
def test_an_upload_that_failed_is_named_by_what_s3_said(hidden, code):
    def upload():
        try:
            raise hidden or S3UploadFailedError("x")
        except ClientError as error:
            raise S3UploadFailedError(f"Failed to upload: {error}")  # noqa: B904 - as boto3 does

    with pytest.raises(S3UploadFailedError) as raised:
        upload()
    assert classify(raised.value) == code


@pytest.mark.parametrize(
    ("troubles", "code"),
    [
        ([], 0),
        (["bug"], 70),
        (["out_of_memory"], 70),
        (["configuration"], 78),
        (["bug", "configuration"], 78),
        (["bug", "configuration", "out_of_memory", "transient"], 75),
    ],
)
def test_the_exit_code_is_that_of_the_trouble_that_asks_for_most(troubles, code):
    assert _exit_code(troubles) == code
