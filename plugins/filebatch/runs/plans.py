"""A claim's plan: which files it takes and how, decided and written before the first of them is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from filebatch.core import aws_errors, contract, file_moves, paths
from filebatch.core.errors import ContractError
from filebatch.core.moves import Move
from filebatch.core.records import SETTLED_STATES, FileRecord, FileState, RunRecord
from filebatch.core.rows import Row
from filebatch.runs.context import FeedContext

TAKE, RETRY, REDO = "take", "retry", "redo"
_MOVES: Mapping[str, Callable[..., Move[FileRecord]]] = {
    TAKE: file_moves.claim,
    RETRY: partial(file_moves.claim, asked=True),
    REDO: file_moves.redo,
}

_WAITS: Mapping[str, Callable[..., Move[FileRecord]]] = {
    RETRY: file_moves.await_retry,
    REDO: file_moves.await_redo,
}


@dataclass(frozen=True)
class Planned:
    """One file of a plan: its row, how it is taken, and the generation it has then."""

    row: Row[FileRecord]
    how: str
    generation: int

    def move(self, token: str, run_id: str, now: datetime) -> Move[FileRecord]:
        """Return the move that takes the file."""
        return _MOVES[self.how](self.row, token, run_id, self.generation, now)

    def waiting(self, feed: str, now: datetime) -> Move[FileRecord] | None:
        """Return the move that leaves the file to whichever run comes; None where it waits for one already."""
        move = _WAITS.get(self.how)
        return move(self.row, feed, self.generation, now) if move else None


def plan_one(record: FileRecord, *, asked: bool, force: bool) -> Planned | None:
    """Decide how a file is taken, if it is.

    Args:
        record: the file.
        asked: somebody asked for this very file: a backoff or used-up attempts don't count.
        force: a file that is done is done again.
    """
    if record.forgotten_at:
        return None
    failed = record.state is FileState.FAILED
    if record.state is FileState.ARRIVED or (failed and record.open and not force):
        return Planned(record.row, TAKE, record.generation)
    if failed and asked and not force:
        return Planned(record.row, RETRY, record.generation)
    if record.state in SETTLED_STATES and force:
        return Planned(record.row, REDO, record.generation + 1)
    return None


def read(ctx: FeedContext, token: str) -> list[Planned] | None:
    """Read a claim's plan, or None where none was written; one that was read before isn't read again.

    Raises:
        ContractError: it isn't one that this version reads.
    """
    if token not in ctx.plans:
        body = _body(ctx, token)
        if body is None:
            return None
        ctx.plans[token] = _parsed(token, body)
    found: list[Planned] = ctx.plans[token]
    return found


def _body(ctx: FeedContext, token: str) -> bytes | None:
    try:
        body: bytes = ctx.s3.get_object(Bucket=ctx.results, Key=paths.plan(ctx.feed.name, token))["Body"].read()
    except ClientError as error:
        if aws_errors.is_not_there(error):
            return None
        raise
    return body


def _parsed(token: str, body: bytes) -> list[Planned]:
    document = contract.readable(f"plan of {token}", contract.decode(f"plan of {token}", body))
    try:
        return [_planned(each) for each in document["files"]]
    except (KeyError, TypeError) as error:
        raise ContractError(f"plan of {token}: expected files with pk, sk, how and generation") from error


def read_for(ctx: FeedContext, record: RunRecord) -> list[Planned]:
    """Read the plan of a claim as far as it is; a claim that ended before it had one has nothing planned.

    Raises:
        ContractError: there is none though files were claimed by it, or none that this version reads.
    """
    found = read(ctx, record.token)
    if found is None and (record.round or record.files):
        raise ContractError(
            f"plan of {record.token}: expected the plan of round {record.round}; it isn't there any more"
        )
    return found or []


def write(ctx: FeedContext, token: str, planned: Sequence[Planned]) -> Sequence[Planned]:
    """Write a plan; return the one that counts, which is the first that was written for this claim."""
    files = [{**each.row.key, "how": each.how, "generation": each.generation} for each in planned]
    body = contract.encode({"contract": contract.VERSION, "files": files})
    key = paths.plan(ctx.feed.name, token)
    try:
        ctx.s3.put_object(Bucket=ctx.results, Key=key, Body=body, IfNoneMatch="*")
    except ClientError as error:
        if not aws_errors.is_precondition_failed(error):
            raise
        first = read(ctx, token)
        return planned if first is None else first
    return planned


def _planned(written: Mapping[str, Any]) -> Planned:
    return Planned(Row(FileRecord, written["pk"], written["sk"]), written["how"], written["generation"])
