"""Forgetting a file: all that is kept of its content is erased, and the ledger keeps that it was, and who asked for it.

What is erased are the versions of its key in the new-files bucket, and of each version the results, with their
profiles, and the quarantine, also those from before its feed was renamed. The ledger's item keeps key and history, and
loses the reason's words. Logs end by themselves, when the log group's retention is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from filebatch.core import file_moves, paths
from filebatch.core.contract import FileVersion
from filebatch.core.errors import FilebatchError
from filebatch.core.records import FileRecord, FileState
from filebatch.feeds import standing
from filebatch.feeds.standing import Standing
from filebatch.intake import arrivals, listing
from filebatch.runs import current_results
from filebatch.runs.context import FeedContext

DELETE = 1000  # objects a call: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html


class HeldError(FilebatchError):
    """A run holds the file, and would write its result after all was erased."""


@dataclass(frozen=True)
class Erased:
    """What is, or would be, erased of a key.

    Attributes:
        versions: versions that the ledger knows.
        objects: object versions and delete markers, by bucket.
    """

    versions: int
    objects: dict[str, int]


def look(ctx: FeedContext, key: str) -> Erased:
    """Say what would be erased."""
    records = _records(ctx, key)
    return Erased(len(records), {bucket: len(found) for bucket, found in _objects(ctx, key, records).items()})


def forget(ctx: FeedContext, key: str, who: str, why: str) -> Erased:
    """Erase what is kept of a key's content; done again after an interruption it does the rest.

    Args:
        ctx: the context of the key's feed.
        key: the key.
        who: who asks for it, which the ledger keeps.
        why: why, which it keeps, too.

    Raises:
        HeldError: a run holds a version.
        RecordError: the ledger's item of a version can't be read.
    """
    unknown = [file for file in _versions(ctx, key) if standing.of(ctx.feed, file) is Standing.WORK]
    arrivals.record(ctx.ledger, ctx.feed, unknown, ctx.now(), arrivals.ASKED)  # what is known stays as it is
    records = _records(ctx, key)
    if held := [record for record in records if record.state is FileState.CLAIMED]:
        raise HeldError(f"{key!r} is held by run {held[0].run_id}: wait until that has ended, or release it")
    for record in records:
        if not record.forgotten_at:
            ctx.ledger.move(file_moves.forget(record, who, why, ctx.now()))
    objects = _objects(ctx, key, records)
    for feed in sorted({ctx.feed.name, *(each["Key"].split("/")[1] for each in objects[ctx.results])}):
        current_results.update(replace(ctx, feed=ctx.feed.model_copy(update={"name": feed})), [key])
    for bucket, found in objects.items():  # last, as who does it again learns from them which feeds had the file
        _delete(ctx.s3, bucket, found)
    return Erased(len(records), {bucket: len(found) for bucket, found in objects.items()})


def _records(ctx: FeedContext, key: str) -> list[FileRecord]:
    """Return the records of all versions: without one that can't be read its results would stay, unnoticed."""
    return ctx.ledger.all_versions(f"s3://{ctx.settings.new_files}/{key}", strictly=True)


def _versions(ctx: FeedContext, key: str) -> list[FileVersion]:
    return [file for file in listing.versions(ctx.s3, ctx.settings.new_files, key) if file.key == key]


def _objects(ctx: FeedContext, key: str, records: Sequence[FileRecord]) -> dict[str, list[dict[str, str]]]:
    """Return what there is of a key and of its versions' results and quarantine, as DeleteObjects names it."""
    new = [each for each in _under(ctx.s3, ctx.settings.new_files, key) if each["Key"] == key]
    areas = ((area, feed) for area in (paths.RESULTS, paths.QUARANTINE) for feed in _feeds(ctx, area))
    prefixes = [paths.of_file(*area, record.file, record.file_time) for area, record in product(areas, records)]
    kept = ctx.side_by_side(lambda prefix: list(_under(ctx.s3, ctx.results, prefix)), prefixes)
    return {ctx.settings.new_files: new, ctx.results: [each for found in kept for each in found]}


def _feeds(ctx: FeedContext, area: str) -> list[str]:
    """Return the feeds that an area has something of: a result stays where its feed's name of then put it."""
    pages = ctx.s3.get_paginator("list_object_versions").paginate(Bucket=ctx.results, Prefix=f"{area}/", Delimiter="/")
    return [found["Prefix"].split("/")[1] for page in pages for found in page.get("CommonPrefixes", [])]


def _under(s3: Any, bucket: str, prefix: str) -> Iterator[dict[str, str]]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for found in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            yield {"Key": found["Key"], "VersionId": found["VersionId"]}


def _delete(s3: Any, bucket: str, found: Sequence[dict[str, str]]) -> None:
    for start in range(0, len(found), DELETE):
        objects: Any = list(found[start : start + DELETE])
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if errors := answer.get("Errors"):
            told = f"{errors[0].get('Key')!r}: {errors[0].get('Code')} {errors[0].get('Message')}"
            raise FilebatchError(f"{bucket}: {len(errors)} objects are still there, such as {told}; do it again")
