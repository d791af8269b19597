"""Objects that are encrypted with a key of their sender's: a customer key (SSE-C), or another account's KMS key.

moto 5.2.5 gives them to everybody. (It refuses archived objects itself.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.s3.exceptions import S3ClientError

CUSTOMER_KEY = "x-amz-server-side-encryption-customer-key-MD5"
ACCOUNT = "123456789012"

_OWNER = re.compile(r"arn:[\w-]+:kms:[\w-]+:(\d{12}):")


def remember_key(key: Any, headers: Mapping[str, str]) -> None:
    """Keep the digest of the customer key that a PutObject request encrypts with."""
    key.customer_key = headers.get(CUSTOMER_KEY)


def check(key: Any, headers: Mapping[str, str]) -> None:
    """Refuse as S3 does: the customer's key is missing or another, or the KMS key is another account's.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    wanted, given = getattr(key, "customer_key", None), headers.get(CUSTOMER_KEY)
    if wanted and not given:
        raise S3ClientError(
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to "
            "retrieve the object.",
        )
    if wanted and wanted != given:
        raise S3ClientError("AccessDenied", "Access Denied")
    owner = _OWNER.match(key.kms_key_id or "")
    if owner and owner[1] != ACCOUNT:
        raise S3ClientError(
            "AccessDenied",
            f"User: arn:aws:sts::{ACCOUNT}:assumed-role/job/1 is not authorized to perform: kms:Decrypt on the "
            "resource associated with this ciphertext because the resource does not exist in this Region, no "
            "resource-based policies allow access, or a resource-based policy explicitly denies access",
        )
