"""What AWS's refusals mean: whether trying again can help, and whether the file's sender is the one to ask.

Only what is known to pass is transient; whatever else AWS refuses it refuses the next time as well.
https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from boto3.exceptions import Boto3Error
from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError
from s3transfer.exceptions import RetriesExceededError

_PASSES = (
    boto.ChecksumError,
    boto.ConnectionError,
    boto.CredentialRetrievalError,
    boto.FlexibleChecksumError,
    boto.HTTPClientError,
    boto.IncompleteReadError,
    boto.MetadataRetrievalError,
    boto.ResponseStreamingError,
    ConnectionError,
    TimeoutError,
)
_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_TIMED_OUT = frozenset({"RequestTimeout", "RequestTimeoutException"})
_DAMAGED = frozenset({"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"})
_IN_CONFLICT = frozenset({"ConditionalRequestConflict", "OperationAborted"})
_NEW_CREDENTIALS_COME = frozenset({"ExpiredToken", "ExpiredTokenException"})
TRANSIENT_CODES = _THROTTLED | _TIMED_OUT | _DAMAGED | _IN_CONFLICT | _NEW_CREDENTIALS_COME
_TRANSIENT_STATUS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})

_GONE = {
    "NoSuchKey": "deleted",
    "NoSuchVersion": "deleted",
    "404": "deleted",
    "PreconditionFailed": "overwritten",
    "412": "overwritten",
}
_OWNER_OF_KEY = re.compile(r"arn:[\w-]+:kms:[\w-]+:(\d{12}):")
_ACCOUNT = re.compile(r"arn:[\w-]+:(?:sts|iam)::(\d{12}):")


@dataclass(frozen=True)
class Unusable:
    """Why nobody but its sender can do something about a file: a code of INVALID, and a sentence for the sender."""

    code: str
    message: str


def cause(error: Exception) -> Exception:
    """Return what went wrong: what boto3's transfers raise hides it."""
    if not isinstance(error, (Boto3Error, RetriesExceededError)):
        return error
    hidden = getattr(error, "last_exception", None) or error.__cause__ or error.__context__
    return cause(hidden) if isinstance(hidden, Exception) else error


def is_transient(error: Exception) -> bool:
    """Tell whether what AWS or the network said to a request passes by itself."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error.response["Error"]["Code"]
        return code in TRANSIENT_CODES or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRANSIENT_STATUS
    return isinstance(error, _PASSES)


def is_permanent(error: Exception) -> bool:
    """Tell whether AWS, or boto on its behalf, refused for good."""
    return isinstance(error, (BotoCoreError, ClientError, Boto3Error, RetriesExceededError)) and not is_transient(error)


def unusable(error: ClientError) -> Unusable | None:
    """Return why S3 doesn't give a file, where that is its sender's doing; None where it is anything else.

    Archived: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html (InvalidObjectState)
    SSE-C: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
    """
    code, told = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in _GONE:
        return Unusable(_GONE[code], f"the file was {_GONE[code]} before its turn")
    if code == "InvalidObjectState":
        return Unusable("archived", "the file is in a storage class that can't be read at once: send it as STANDARD")
    if code == "InvalidRequest" and "Server Side Encryption" in told:
        return Unusable("encrypted", "the file is encrypted with a key that only its sender has: send it without")
    if "kms:Decrypt" in told and _is_foreign(told):
        return Unusable("encrypted", "the file is encrypted with a KMS key of another account: send it without")
    return None


def _is_foreign(told: str) -> bool:
    """Tell whether a KMS key that may not be used is another account's; KMS doesn't always name it.

    Then it says whose policy would have to allow it: an identity-based one is ours to write, the key's is its owner's.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    owner, account = _OWNER_OF_KEY.search(told), _ACCOUNT.search(told)
    if owner and account:
        return owner[1] != account[1]
    return "no resource-based polic" in told
