"""Reading the one unit that is this child's."""

from __future__ import annotations

from typing import Any

from filebatch.core import contract, round_file


def read_unit(s3: Any, bucket: str, key: str, index: int) -> contract.Unit:
    """Fetch unit `index` of a round: its line of the index, then its bytes, and no other unit's."""
    line = _bytes(s3, bucket, key, round_file.index_range(index))
    return round_file.decode_unit(_bytes(s3, bucket, key, round_file.unit_range(line)))


def _bytes(s3: Any, bucket: str, key: str, span: tuple[int, int]) -> bytes:
    answer = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={span[0]}-{span[1]}")
    content: bytes = answer["Body"].read()
    return content
