"""What is known of one key: in the bucket, in the ledger, and on the way between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from filebatch.core import aws_errors, clock
from filebatch.core.contract import FileVersion
from filebatch.core.errors import ContractError
from filebatch.core.feed_records import Sweep
from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.feeds import standing
from filebatch.feeds.feed import Feed
from filebatch.feeds.standing import Standing
from filebatch.intake import arrivals, event_keys, listing
from filebatch.queries import files, overview
from filebatch.runs import infrastructure
from filebatch.runs.context import FeedContext

DEAD_LOOKS = 5  # ReceiveMessage calls; each brings at most 10 messages


@dataclass(frozen=True)
class Lying:
    """What the bucket has of a key.

    Attributes:
        latest: the current version; None where there is none.
        deleted_at: when it was deleted, where a delete marker lies over it.
    """

    latest: FileVersion | None = None
    deleted_at: str | None = None


@dataclass(frozen=True)
class Story:
    """What is known of one key of a feed.

    Attributes:
        key: the key.
        feed: its feed.
        records: the ledger's records of its versions, the newest first.
        lying: what the bucket has of it.
        run: the owner record of the claim that has the newest version, or had it last.
        swept_at: until when the last sweep compared bucket and ledger; None where none did by the feed as it is.
        dead: whether its event was seen in the dead-letter queue; asked only where the ledger doesn't know the key.
        held: why no run claims what waits of the feed; asked only where the newest version waits.
    """

    key: str
    feed: Feed
    records: Sequence[FileRecord]
    lying: Lying
    run: RunRecord | None = None
    swept_at: str | None = None
    dead: bool = False
    held: str | None = None

    @property
    def newest(self) -> FileRecord | None:
        """The ledger's record of the newest version."""
        return self.records[0] if self.records else None

    @property
    def is_gone(self) -> bool:
        """Whether the bucket has nothing of the key, and not even says when it was deleted."""
        return self.lying.latest is None and self.lying.deleted_at is None

    @property
    def unknown(self) -> FileVersion | None:
        """The version that lies in the bucket, where the ledger doesn't know it."""
        latest = self.lying.latest
        known = {file.version for file in (record.file for record in self.records)}
        return latest if latest and latest.version not in known else None

    @property
    def standing(self) -> Standing | None:
        """What the version in the bucket is to the feed; None where there is none."""
        return standing.of(self.feed, self.lying.latest) if self.lying.latest else None


def of_key(ctx: FeedContext, key: str) -> Story:
    """Return what is known of a key of the feed.

    A key that the ledger knows takes 5 requests at most; another takes 3, and up to 5 looks at the dead-letter queue.
    """
    records = files.versions(ctx, key)
    lying = in_bucket(ctx, key)
    run = _run_of(ctx, records[0]) if records else None
    held = overview.held(ctx) if records and waits(records[0]) else None
    story = Story(key, ctx.feed, records, lying, run, held=held)
    if records and not story.unknown:
        return story
    swept = listing.swept_until(ctx.ledger.get(Sweep.at(ctx.feed.name)), ctx.feed)
    swept_at = clock.to_iso(swept) if swept > listing.NEVER else None
    dead = not records and story.standing is Standing.WORK and key in dead_keys(ctx)
    return replace(story, swept_at=swept_at, dead=dead)


def waits(file: FileRecord) -> bool:
    """Tell whether a file waits for a run to claim it, for the first time or once more."""
    return file.state is FileState.ARRIVED or (file.state is FileState.FAILED and bool(file.open))


def in_bucket(ctx: FeedContext, key: str) -> Lying:
    """Look what the bucket has of a key; 1 request."""
    answer = ctx.s3.list_object_versions(Bucket=ctx.settings.new_files, Prefix=key, MaxKeys=10)
    for found in answer.get("Versions", []):
        if found["Key"] == key and found["IsLatest"]:
            return Lying(listing.version_of(ctx.settings.new_files, found))
    for found in answer.get("DeleteMarkers", []):
        if found["Key"] == key and found["IsLatest"]:
            return Lying(deleted_at=clock.to_iso(found["LastModified"]))
    return Lying()


def dead_keys(ctx: FeedContext) -> set[str]:
    """Return the keys that events in the feed's dead-letter queue may mean, as far as 5 requests see them.

    The messages stay: they can be received again a second later.
    """
    found: set[str] = set()
    for message in _peek(ctx.sqs, ctx.settings.dead_letters(ctx.feed.name)):
        try:
            found |= {file.key for file in event_keys.readings(arrivals.decode(message["Body"]))}
        except ContractError:
            continue
    return found


def _peek(sqs: Any, queue: str) -> Sequence[Any]:
    seen: dict[str, Any] = {}
    try:
        for _ in range(DEAD_LOOKS):
            answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=arrivals.RECEIVE, VisibilityTimeout=1)
            new = {message["MessageId"]: message for message in answer.get("Messages", [])}
            if not new.keys() - seen.keys():
                break
            seen |= new
    except ClientError as error:
        if aws_errors.code(error) not in infrastructure.NO_QUEUE:
            raise
    return list(seen.values())


def _run_of(ctx: FeedContext, file: FileRecord) -> RunRecord | None:
    return ctx.ledger.get(RunRecord.at(ctx.feed.name, file.claim)) if file.claim else None


def feed_of(feeds: Sequence[Feed], key: str) -> Feed | None:
    """Return the feed whose prefix a key begins with; no two feeds' prefixes overlap."""
    return next((feed for feed in feeds if feed.covers(key)), None)
