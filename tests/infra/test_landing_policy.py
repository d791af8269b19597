"""Who uploads new files may choose neither an encryption nor a storage class that a worker can't read.

What the bucket's policy refuses, judged as IAM does: all conditions have to hold, and one that negates holds as well
where the request doesn't name its key, so each needs a `Null` beside it or uploads without any header are refused.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from collections.abc import Mapping
from typing import Any

import pytest

from filebatch_local.provision.documents import render
from infra.terraform import ROOT

ENCRYPTION, CLASS = "s3:x-amz-server-side-encryption", "s3:x-amz-storage-class"
STATEMENTS = render(ROOT / "infra" / "documents", "landing-policy", arn="arn:aws:s3:::new-files")["Statement"]


def holds(operator: str, wanted: str | list[str], found: str | None) -> bool:
    if operator == "Null":
        return (found is None) == (wanted == "true")
    assert operator == "StringNotEquals", operator
    return found not in ([wanted] if isinstance(wanted, str) else wanted)


def refused(asked: Mapping[str, str], statements: list[dict[str, Any]] = STATEMENTS) -> list[str]:
    return [
        each["Sid"]
        for each in statements
        if each["Effect"] == "Deny"
        and all(
            holds(operator, wanted, asked.get(key))
            for operator, keys in each["Condition"].items()
            for key, wanted in keys.items()
        )
    ]


@pytest.mark.parametrize(
    "asked",
    [
        {},  # a plain upload; UploadPart and CompleteMultipartUpload, which name neither
        {ENCRYPTION: "AES256"},
        {CLASS: "STANDARD"},
        {CLASS: "INTELLIGENT_TIERING", ENCRYPTION: "AES256"},
    ],
)
def test_what_workers_can_read_is_taken(asked: dict[str, str]) -> None:
    assert refused(asked) == []


@pytest.mark.parametrize(
    ("asked", "by"),
    [
        ({f"{ENCRYPTION}-customer-algorithm": "AES256"}, "NoKeysOfUploaders"),
        ({ENCRYPTION: "aws:kms"}, "NoOtherEncryption"),
        ({ENCRYPTION: "aws:kms:dsse", f"{ENCRYPTION}-aws-kms-key-id": "arn:aws:kms:::key/k"}, "NoOtherEncryption"),
        ({CLASS: "GLACIER"}, "NothingArchived"),
        ({CLASS: "DEEP_ARCHIVE", ENCRYPTION: "AES256"}, "NothingArchived"),
        ({CLASS: "SOME_NEW_CLASS"}, "NothingArchived"),
    ],
)
def test_what_they_cannot_read_is_refused(asked: dict[str, str], by: str) -> None:
    assert refused(asked) == [by]


def test_nobody_is_excepted_and_nothing_but_uploads_is_refused() -> None:
    for each in STATEMENTS:
        assert (each["Effect"], each["Principal"], each["Action"]) == ("Deny", "*", "s3:PutObject")
        assert each["Resource"] == "arn:aws:s3:::new-files/*"
