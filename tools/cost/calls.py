"""AWS calls as a local AWS records them, counted by service and operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from filebatch_local.base import access

# The names that a local AWS gives to who puts files and looks on, and is no part of the product.
NOT_OURS = frozenset({access.DEVELOPER, access.SPARED})
_S3 = {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "POST": "PostObject", "DELETE": "DeleteObject"}


def counted(requests: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Return how often each operation was called, as SERVICE.OPERATION.

    Left out are calls for credentials, lookers-on, and what services do by themselves, which nobody signs.
    """
    ours = (each for each in requests if "key" in each and each["key"] not in NOT_OURS)
    return Counter(name(each) for each in ours if each["service"] != "sts")


def name(request: Mapping[str, Any]) -> str:
    """Return SERVICE.OPERATION of a recorded request."""
    service = str(request["service"])
    return f"{service}.{_s3(request) if service == 's3' else _operation(request)}"


def is_a_files_own(operation: str) -> bool:
    """Tell whether how often it is called depends on the files alone, not on how many were at hand at a time."""
    return operation.startswith(("s3.", "dynamodb."))


def _s3(request: Mapping[str, Any]) -> str:
    _, _, key = str(request["path"]).lstrip("/").partition("/")
    if key:
        return _S3[request["method"]]
    return "ListObjectVersions" if "versions" in parse_qs(request["query"], keep_blank_values=True) else "ListObjectsV2"


def _operation(request: Mapping[str, Any]) -> str:
    target = request["headers"].get("x_amz_target", "")
    return str(target.split(".")[-1] or request["path"].rstrip("/").rsplit("/", 1)[-1] or "Query")
