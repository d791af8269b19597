"""What S3's refusals mean, in one place: codes are words of the body, or the status where there is no body (HEAD).

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from botocore.exceptions import ClientError

NOT_THERE = frozenset({"404", "NoSuchKey", "NoSuchVersion"})
PRECONDITION_FAILED = frozenset({"412", "PreconditionFailed"})
LOST = PRECONDITION_FAILED | NOT_THERE | frozenset({"409", "ConditionalRequestConflict"})
DELETE_MARKER = frozenset({"405", "MethodNotAllowed"})
REFUSED = frozenset({"400", "403", "InvalidRequest", "AccessDenied"})


def code(error: ClientError) -> str:
    """Return the code of a refusal, "" where it has none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_not_there(error: ClientError) -> bool:
    """Tell whether there is no object of this key and version."""
    return code(error) in NOT_THERE


def is_precondition_failed(error: ClientError) -> bool:
    """Tell whether the object isn't, or is already, what the request made a condition of."""
    return code(error) in PRECONDITION_FAILED


def is_lost(error: ClientError) -> bool:
    """Tell whether another was first: the object isn't what a write requires, or is being written just now.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    """
    return code(error) in LOST
