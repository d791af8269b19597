"""What the container wrote that did a file last."""

from __future__ import annotations

from filebatch.core.records import RunRecord
from filebatch.queries import files
from filebatch.runs import explaining
from filebatch.runs.context import FeedContext
from filebatch.runs.report import Shown


def of_key(ctx: FeedContext, key: str) -> Shown | None:
    """Return the job that did a key's newest version, its log's address and what that says of the file; 5 requests.

    None where none is known: the file wasn't begun, another round of its claim came since, or Batch has forgotten it.

    Raises:
        ClientError: AWS refuses one of the requests.
        ContractError: the units of the claim are gone.
    """
    newest = next(iter(files.versions(ctx, key)), None)
    if newest is None or newest.claim is None:
        return None
    record = ctx.ledger.get(RunRecord.at(ctx.feed.name, newest.claim))
    return explaining.containers(ctx, record, [newest], [newest]).get(newest.row) if record else None
