"""What AWS's refusals mean: only what is known to pass is tried again."""

import pytest
from boto3.exceptions import RetriesExceededError, S3UploadFailedError
from botocore import exceptions as boto
from botocore.exceptions import ClientError
from botocore.retries import standard
from s3transfer.exceptions import RetriesExceededError as TransferRetriesExceededError

from filebatch_worker import refusals
from filebatch_worker.file import classify

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
PASSES = [
    ("SlowDown", 503),
    ("ServiceUnavailable", 503),
    ("InternalError", 500),
    ("InternalServerError", 500),
    ("RequestTimeout", 400),
    ("503", 503),
    ("429", 429),
    ("ThrottlingException", 400),
    ("ProvisionedThroughputExceededException", 400),
    ("ConditionalRequestConflict", 409),
    ("OperationAborted", 409),
    ("ExpiredToken", 400),
    ("BadDigest", 400),
    ("IncompleteBody", 400),
    ("XAmzContentSHA256Mismatch", 400),
]
STAYS = [
    ("AccessDenied", 403),
    ("AccessDeniedException", 400),
    ("403", 403),
    ("400", 400),
    ("NoSuchBucket", 404),
    ("PermanentRedirect", 301),
    ("AuthorizationHeaderMalformed", 400),
    ("InvalidObjectState", 403),
    ("InvalidRequest", 400),
    ("KMS.DisabledException", 400),
    ("KMS.KMSInvalidStateException", 400),
    ("KMS.NotFoundException", 400),
    ("ValidationException", 400),
    ("ResourceNotFoundException", 400),
    ("InvalidAccessKeyId", 403),
    ("SomethingThatAwsAddsTomorrow", 400),
]


def refusal(code, status=400, message="no", operation="GetObject"):
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation
    )


@pytest.mark.parametrize(("code", "status"), PASSES)
def test_what_passes_by_itself_is_tried_again(code, status):
    assert classify(refusal(code, status)) == "transient"


@pytest.mark.parametrize(("code", "status"), STAYS)
def test_what_aws_refuses_for_good_is_not(code, status):
    assert classify(refusal(code, status)) == "configuration"


def test_whatever_the_sdk_itself_tries_again_passes():
    known = {*standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES}
    known |= {*standard.TransientRetryableChecker._TRANSIENT_ERROR_CODES}
    assert known <= refusals.TRANSIENT_CODES
    for status in standard.TransientRetryableChecker._TRANSIENT_STATUS_CODES:
        assert refusals.is_transient(refusal("x", status))
    for kind in standard.TransientRetryableChecker._TRANSIENT_EXCEPTION_CLS:
        assert issubclass(kind, refusals._PASSES)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (boto.EndpointConnectionError(endpoint_url="http://nowhere"), "transient"),
        (boto.ConnectTimeoutError(endpoint_url="http://nowhere"), "transient"),
        (boto.ReadTimeoutError(endpoint_url="http://nowhere"), "transient"),
        (boto.ConnectionClosedError(endpoint_url="http://nowhere"), "transient"),
        (boto.ResponseStreamingError(error="broken"), "transient"),
        (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), "transient"),
        (boto.CredentialRetrievalError(provider="container-role", error_msg="x"), "transient"),
        (boto.FlexibleChecksumError(error_msg="damaged on the way"), "transient"),
        (boto.ChecksumError(checksum_type="crc32", expected_checksum="a", actual_checksum="b"), "transient"),
        (boto.NoCredentialsError(), "configuration"),
        (boto.NoRegionError(), "configuration"),
        (boto.ParamValidationError(report="x"), "configuration"),
        (boto.UnknownEndpointError(service_name="s3", region_name="x"), "configuration"),
    ],
)
def test_of_what_the_sdk_raises_broken_connections_pass(error, code):
    assert classify(error) == code


def raised(error, hidden):
    """Return an error as it is raised while another is handled, as boto3's transfers do."""
    try:
        try:
            raise hidden
        except type(hidden):
            raise error  # noqa: B904 - as boto3 does
    except type(error) as found:
        return found


@pytest.mark.parametrize(
    ("hidden", "code"), [(refusal("AccessDenied", 403), "configuration"), (refusal("SlowDown"), "transient")]
)
def test_a_transfer_is_named_by_what_s3_said(hidden, code):
    assert classify(raised(S3UploadFailedError("Failed to upload"), hidden)) == code


def test_a_transfer_that_gave_up_is_named_by_what_it_saw_last():
    broken = boto.IncompleteReadError(actual_bytes=1, expected_bytes=2)
    lower = TransferRetriesExceededError(broken)
    assert classify(lower) == "transient"
    assert classify(raised(RetriesExceededError(broken), lower)) == "transient"
    assert classify(S3UploadFailedError("nobody knows why")) == "configuration"


USER = "User: arn:aws:sts::111122223333:assumed-role/job/1 is not authorized to perform: kms:Decrypt on "
OURS = (
    "resource: arn:aws:kms:eu-west-1:111122223333:key/k because no identity-based policy allows the kms:Decrypt action"
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refusal("NoSuchKey", 404), "deleted"),
        (refusal("NoSuchVersion", 404), "deleted"),
        (refusal("PreconditionFailed", 412), "overwritten"),
        (refusal("InvalidObjectState", 403), "archived"),
        (
            refusal("InvalidRequest", 400, "The object was stored using a form of Server Side Encryption."),
            "encrypted",
        ),
        (refusal("AccessDenied", 403, USER + OURS.replace("1111222", "9999222", 1)), "encrypted"),
        (
            refusal(
                "AccessDenied",
                403,
                f"{USER}the resource associated with this ciphertext because the resource does not exist in this "
                "Region, no resource-based policies allow access, or a resource-based policy explicitly denies access",
            ),
            "encrypted",
        ),
        (refusal("InvalidRequest", 400, "Missing required header"), None),
        (refusal("AccessDenied", 403, USER + OURS), None),
        (
            refusal(
                "AccessDenied",
                403,
                f"{USER}the resource associated with this ciphertext because no identity-based policy allows the "
                "kms:Decrypt action",
            ),
            None,
        ),
        (refusal("AccessDenied", 403, "Access Denied"), None),
        (refusal("NoSuchBucket", 404), None),
        (refusal("KMS.KMSInvalidStateException", 400, "arn:aws:kms:eu-west-1:1:key/k is pending deletion."), None),
        (refusal("SlowDown", 503), None),
    ],
)
def test_whose_choice_it_is_that_a_file_cannot_be_read(error, code):
    found = refusals.unusable(error)
    assert (found and found.code) == code
