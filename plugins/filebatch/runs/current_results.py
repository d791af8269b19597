"""A feed's current results as objects that DuckDB, Athena and Spark read without the ledger: docs/results.md.

current/FEED/results/PART.ndjson        a line for each output of each current result
current/FEED/tables/NAME/PART.txt       where the Parquet files of one name are, a URI a line, for what reads lists

A key is always in the same part: its date's, where it has one, else `all`. Each settled run writes the parts of its
keys anew: it reads a part, then the ledger, and writes the part only where nobody has written it since. So whoever
writes last has seen what the ledger said last, however many runs are at it.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from filebatch.core import aws_errors, outputs, paths
from filebatch.core.contract import Output, Result
from filebatch.core.errors import ContractError, FilebatchError
from filebatch.core.records import FileRecord, FileState
from filebatch.core.results import location, read_result
from filebatch.core.rows import Row
from filebatch.feeds.feed import Feed
from filebatch.runs.context import FeedContext

UNDATED = "all"  # the part of keys that have no date
TRIES = 20  # of a part that others write at the same time
_TABLE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}\.parquet")

log = logging.getLogger(__name__)

Line = Mapping[str, Any]
Lines = Mapping[str, Sequence[Line]]  # by key
Wanted = dict[str, Row[FileRecord] | None]  # keys, and which version of each a run has settled; None for all of them


class NotWrittenError(FilebatchError):
    """Others wrote the same part again and again."""


@dataclass(frozen=True)
class Current:
    """The current result of a key."""

    key: str
    version: str
    result: Result


@dataclass(frozen=True)
class Part:
    """A part as it was read: its lines by key, and the ETag that it had; None where it isn't there."""

    lines: Lines
    etag: str | None


def add(ctx: FeedContext, files: Iterable[FileRecord]) -> None:
    """Have the parts of files that a run has settled say what the ledger says of them.

    It takes 6 requests a part and 1 for a hundred files; of a file that is no longer what its key's result is of, 2.

    Raises:
        NotWrittenError: others wrote the same part all the time.
        ContractError: a result is of a version that this one doesn't read, or isn't one.
    """
    wanted: Wanted = {}
    for file in files:
        wanted[file.key] = None if file.key in wanted else file.row  # of two versions all are looked up
    _until_written(ctx, wanted)


def update(ctx: FeedContext, keys: Iterable[str]) -> None:
    """Have the parts of these keys say what the ledger says of all their versions; 6 requests a part, 2 a key.

    Raises:
        NotWrittenError: others wrote the same part all the time.
        ContractError: a result is of a version that this one doesn't read, or isn't one.
    """
    _until_written(ctx, dict.fromkeys(keys))


def _until_written(ctx: FeedContext, wanted: Wanted) -> None:
    left: dict[str, Wanted] = {}
    for key, row in wanted.items():
        left.setdefault(part_of(ctx.feed, key), {})[key] = row
    for _ in range(TRIES):
        left = _update(ctx, left)
        if not left:
            return
    raise NotWrittenError(f"feed {ctx.feed.name}: {sorted(left)}: others write these parts of current/ all the time")


def read(ctx: FeedContext) -> list[Line]:
    """Return the lines of all parts, in order of their keys; 2 requests, and 1 a part."""
    found = (
        each for part in ctx.side_by_side(lambda part: _read(ctx, part), parts(ctx)) for each in part.lines.items()
    )
    return [line for _, lines in sorted(found) for line in lines]


def parts(ctx: FeedContext) -> list[str]:
    """Return the names of the parts that a feed has; 1 request a thousand."""
    prefix = paths.current_results(ctx.feed.name, "").removesuffix(paths.LINES)
    pages = ctx.s3.get_paginator("list_objects_v2").paginate(Bucket=ctx.results, Prefix=prefix)
    keys = (found["Key"] for page in pages for found in page.get("Contents", []))
    return [key.removeprefix(prefix).removesuffix(paths.LINES) for key in keys]


def part_of(feed: Feed, key: str) -> str:
    """Return the part in which a key is, whatever its versions."""
    day = feed.date_of(key)
    return f"date={day:%Y-%m-%d}" if day else UNDATED


def of_key(ctx: FeedContext, versions: Iterable[FileRecord]) -> Current | None:
    """Return the current result of a key: its newest version that has SUCCEEDED, in its newest generation."""
    for record in sorted(versions, key=lambda each: (each.last_modified, each.arrived_at), reverse=True):
        result = _result_of(ctx, record)
        if result and result.state == FileState.SUCCEEDED:
            return Current(record.key, record.sk, result)
    return None


def _result_of(ctx: FeedContext, record: FileRecord) -> Result | None:
    """Read the newest result there is of a version: its record names it, but for its generation's own place.

    A version that is being done again still names the result of an earlier generation.
    """
    for generation in range(record.generation, 0, -1):
        work = replace(record.work, generation=generation)
        if location(ctx.results, ctx.feed.name, work) == record.result:
            return read_result(ctx.s3, ctx.results, ctx.feed.name, work)
    return None


def _update(ctx: FeedContext, wanted: Mapping[str, Wanted]) -> dict[str, Wanted]:
    """Write parts, each with the keys that are to be looked up; return those that others have written meanwhile."""
    there = dict(zip(wanted, ctx.side_by_side(lambda part: _read(ctx, part), wanted), strict=True))
    records = ctx.ledger.get_many([row for of_part in wanted.values() for row in of_part.values() if row])
    asked = [
        (key, records.get(row) if row else None, there[part].lines.get(key, ()))
        for part in wanted
        for key, row in wanted[part].items()
    ]
    found = ctx.side_by_side(lambda each: _lines_of(ctx, *each), asked)
    now = dict(zip((key for key, *_ in asked), found, strict=True))

    def write(part: str) -> bool:
        new = {**there[part].lines, **{key: now[key] for key in wanted[part]}}
        return _write_part(ctx, part, there[part], {key: lines for key, lines in new.items() if lines})

    written = ctx.side_by_side(write, wanted)
    return {part: wanted[part] for part, done in zip(wanted, written, strict=True) if not done}


def _lines_of(ctx: FeedContext, key: str, settled: FileRecord | None, there: Sequence[Line]) -> Sequence[Line]:
    """Return a key's lines: those of a version that was settled, if it is the newest that counts, else as they are.

    Where a version that counted has become INVALID, or an older worker left no outputs, all versions are looked up.
    """
    if settled and there and _age(there[0]) > _age(vars(settled)):
        return there
    if settled and settled.state is FileState.SUCCEEDED and settled.outputs is not None:
        return _told(ctx, settled, settled.generation, outputs.of(settled))
    if settled and settled.state is FileState.INVALID and (not there or there[0]["version"] != settled.sk):
        return there
    records = {record.sk: record for record in ctx.ledger.all_versions(f"s3://{ctx.settings.new_files}/{key}")}
    found = of_key(ctx, records.values())
    if found is None:
        return []
    return _told(ctx, records[found.version], found.result.work.generation, found.result.outputs)


def _age(of: Mapping[str, Any]) -> tuple[str, str]:
    return of["last_modified"], of["arrived_at"]


def _told(ctx: FeedContext, file: FileRecord, generation: int, produced: Sequence[Output]) -> list[Line]:
    """Return a line for each output; a result without any has one line, which names none."""
    # The place follows from the file and not from what a worker wrote, who might name another feed's.
    own = paths.of_generation(paths.RESULTS, ctx.feed.name, replace(file.work, generation=generation))
    when = {"file_time": file.file_time, "last_modified": file.last_modified, "arrived_at": file.arrived_at}
    told = {"key": file.key, "version": file.sk, "generation": generation, **when}
    found = [each for each in produced if each.key.startswith(own)]
    if len(found) < len(produced):
        log.error("%r: outputs of its result that aren't below %s are left out", file.key, own)
    return [{**told, **_output(ctx, each)} for each in found] or [told | dict.fromkeys(_OF_AN_OUTPUT)]


_OF_AN_OUTPUT = ("name", "uri", "size", "rows")


def _output(ctx: FeedContext, output: Output) -> Line:
    values = (output.name, f"s3://{ctx.results}/{output.key}", output.size, output.rows)
    return dict(zip(_OF_AN_OUTPUT, values, strict=True))


def _write_part(ctx: FeedContext, part: str, there: Part, lines: Lines) -> bool:
    key = paths.current_results(ctx.feed.name, part)
    if lines != there.lines and not _put(ctx, key, _encoded(lines), there.etag):
        return False
    names = {name for each in (lines, there.lines) for name in _tables(each)}
    return all(_write_table(ctx, part, name) for name in sorted(names))


def _write_table(ctx: FeedContext, part: str, name: str) -> bool:
    """Have a list of Parquet files say what its part says: it is read before the part, for whoever is later to see."""
    key = paths.current_table(ctx.feed.name, name, part)
    body, etag = _body(ctx, key)
    listed = "".join(f"{uri}\n" for uri in _tables(_read(ctx, part).lines).get(name, ())).encode()
    return listed == body or _put(ctx, key, listed, etag)


def _tables(lines: Lines) -> dict[str, list[str]]:
    """Return where the Parquet files are, by name."""
    found: dict[str, list[str]] = {}
    for _, of_key_ in sorted(lines.items()):
        for line in of_key_:
            if line["name"] and _TABLE.fullmatch(line["name"]):
                found.setdefault(line["name"], []).append(line["uri"])
    return found


def _read(ctx: FeedContext, part: str) -> Part:
    key = paths.current_results(ctx.feed.name, part)
    body, etag = _body(ctx, key)
    lines: dict[str, list[Line]] = {}
    try:
        for written in body.splitlines():
            line = json.loads(written)
            lines.setdefault(line["key"], []).append(line)
    except (ValueError, KeyError, TypeError) as error:
        to_do = f"delete it, then `filebatch results {ctx.feed.name} --rebuild`"
        raise ContractError(
            f"s3://{ctx.results}/{key}: expected lines as runs write them ({error}); {to_do}"
        ) from error
    return Part(lines, etag)


def _encoded(lines: Lines) -> bytes:
    """Write lines in order of their keys, each as ASCII: no character of a key can end one."""
    return "".join(f"{json.dumps(line)}\n" for _, of_key_ in sorted(lines.items()) for line in of_key_).encode()


def _body(ctx: FeedContext, key: str) -> tuple[bytes, str | None]:
    """Read an object: its body and ETag; nothing and None where there is none."""
    try:
        answer = ctx.s3.get_object(Bucket=ctx.results, Key=key)
    except ClientError as error:
        if aws_errors.is_not_there(error):
            return b"", None
        raise
    return answer["Body"].read(), answer["ETag"]


def _put(ctx: FeedContext, key: str, body: bytes, etag: str | None) -> bool:
    """Write an object that is as it was read; False where it isn't."""
    unchanged = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
    try:
        ctx.s3.put_object(Bucket=ctx.results, Key=key, Body=body, **unchanged)
    except ClientError as error:
        if aws_errors.is_lost(error):
            return False
        raise
    return True
