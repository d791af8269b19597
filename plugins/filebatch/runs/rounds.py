"""A round of a claim: its files packed into units, written for the workers, before its job is submitted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from botocore.exceptions import ClientError

from filebatch.core import aws_errors, paths, round_file, run_moves
from filebatch.core.contract import Unit
from filebatch.core.errors import ContractError
from filebatch.core.records import FileRecord, RunRecord
from filebatch.core.run_moves import RoundJob
from filebatch.feeds.feed import Feed
from filebatch.runs import jobs, packing
from filebatch.runs.context import FeedContext


def begin(ctx: FeedContext, record: RunRecord) -> RunRecord:
    """Open the record's next round, still without units; its files are claimed afterwards.

    Raises:
        MoveRefused: somebody else has moved the record.
    """
    name = jobs.name(ctx.feed.name, record.token, record.round + 1)
    return ctx.ledger.move(
        run_moves.begin_round(record, name, timeout=ctx.settings.heartbeat_timeout, now=ctx.now()),
    )


def write(ctx: FeedContext, record: RunRecord, files: Sequence[FileRecord]) -> RunRecord:
    """Pack the claimed files of a round, write its units for the workers, and note down what its job needs.

    Raises:
        MoveRefused: somebody else has moved the record; no job of the round may be submitted.
    """
    units = pack_units(ctx.feed, record, files)
    body = round_file.encode(units)
    ctx.s3.put_object(Bucket=ctx.results, Key=units_key(record), Body=body)
    job = RoundJob(units=len(units), memory=memory_of(ctx.feed, files))
    return ctx.ledger.move(run_moves.round_written(record, job))


def pack_units(feed: Feed, record: RunRecord, files: Iterable[FileRecord]) -> list[Unit]:
    """Return the units of a round, in the order of the files; one that may have killed its container is alone."""
    packed = packing.pack(
        files,
        size=lambda file: file.size,
        alone=lambda file: bool(file.suspect),
        max_bytes=feed.packing.bytes,
        max_count=feed.packing.files,
    )
    return [
        Unit(
            feed=feed.name,
            claim=record.token,
            run_id=record.run_id,
            round=record.round,
            index=index,
            processor=feed.processor,
            options=feed.options,
            max_attempts=feed.max_attempts,
            show_values=feed.show_values,
            files=tuple(file.work for file in unit),
        )
        for index, unit in enumerate(packed)
    ]


def memory_of(feed: Feed, files: Iterable[FileRecord]) -> int:
    """Return the MiB of a round's containers: the feed's, or what a file needs that ran out of memory before."""
    return feed.larger_memory(max([feed.memory, *(file.memory or 0 for file in files)]))


def units_key(record: RunRecord) -> str:
    """Return the key of the units of a claim's latest round."""
    return paths.round_units(record.feed, record.token, record.round)


def read_units(ctx: FeedContext, record: RunRecord) -> list[Unit]:
    """Read the units of a claim's latest round.

    Raises:
        ContractError: they are gone, or none that this version reads.
    """
    key = units_key(record)
    try:
        body = ctx.s3.get_object(Bucket=ctx.results, Key=key)["Body"].read()
    except ClientError as error:
        if aws_errors.is_not_there(error):
            raise ContractError(
                f"{key}: expected the units of round {record.round}; they aren't there any more"
            ) from error
        raise
    return round_file.decode(body)
