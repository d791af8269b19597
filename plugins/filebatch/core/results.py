"""Reading results: `_result.json` is what makes one exist."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from filebatch.core import aws_errors, contract, paths
from filebatch.core.contract import Result, Work
from filebatch.core.errors import ContractError
from filebatch.core.records import DONE

# Bytes: what a worker wrote is read by Airflow's, which other feeds share.
MAX_RESULT = 16 * 2**20


def read_result(s3: Any, bucket: str, feed: str, work: Work) -> Result | None:
    """Read the result of this generation, if there is one.

    Raises:
        ContractError: what lies there is another file's, or of another contract.
    """
    key = paths.result(feed, work)
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if aws_errors.is_not_there(error):
            return None
        raise
    if answer["ContentLength"] > MAX_RESULT:
        raise ContractError(f"{key}: expected at most {MAX_RESULT} bytes, found {answer['ContentLength']}")
    result = Result.from_json(contract.decode(key, answer["Body"].read()))
    if result.state not in DONE or result.work.generation != work.generation:
        found = f"{result.state!r} of generation {result.work.generation}"
        raise ContractError(f"{key}: expected SUCCEEDED or INVALID of generation {work.generation}, found {found:.100}")
    if result.work.file.identity != work.file.identity:
        raise ContractError(f"{key}: expected the result of {work.file.uri!r}, found that of {result.work.file.uri!r}")
    return result


def location(bucket: str, feed: str, work: Work) -> str:
    """Return the URI of a generation's `_result.json`."""
    return f"s3://{bucket}/{paths.result(feed, work)}"
