"""Arrivals: from S3's events into the ledger, and only then acknowledged.

S3 and SQS deliver at least once and in no order (https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html);
the ledger takes a file version once, however often it is announced.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from filebatch.core import clock, feed_moves, file_moves
from filebatch.core.contract import NO_VERSION, FileVersion
from filebatch.core.errors import ContractError
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord
from filebatch.core.wording import quoted
from filebatch.feeds import standing
from filebatch.feeds.feed import Feed
from filebatch.feeds.standing import Standing
from filebatch.intake import event_keys

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
RECEIVE = 10  # messages a call
DELETE_TRIES = 2
DRAIN_SECONDS = 30.0
MAX_NAMED = 10  # files that are no work, of a message of the log
EVENT, SWEEP, ASKED = "event", "sweep", "asked"  # how a file is noticed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Taken:
    """What a message or a listing brought: new files, files known already, and what is no work, by its standing."""

    new: int = 0
    known: int = 0
    history: int = 0
    unmatched: int = 0
    ignored: int = 0
    named: tuple[str, ...] = field(default=(), compare=False)  # some that are no work, each with the reason
    held_by: frozenset[str] = field(default=frozenset(), compare=False)  # other feeds whose claims hold some

    def __add__(self, other: Taken) -> Taken:
        """Add up."""
        return Taken(
            self.new + other.new,
            self.known + other.known,
            self.history + other.history,
            self.unmatched + other.unmatched,
            self.ignored + other.ignored,
            (self.named + other.named)[:MAX_NAMED],
            self.held_by | other.held_by,
        )

    def __str__(self) -> str:
        """Say it in a line of counts, and a line for each of some files that are no work."""
        counts = f"new={self.new} known={self.known} history={self.history} unmatched={self.unmatched}"
        others = self.history + self.unmatched + self.ignored
        more = [f"no work: {others - len(self.named)} more"] if others > len(self.named) > 0 else []
        return "\n".join([f"{counts} ignored={self.ignored}", *(f"no work: {each}" for each in self.named), *more])


def no_work(feed: Feed, others: Iterable[tuple[FileVersion, Standing]]) -> Taken:
    """Return what files come to that are no work of the feed: all are counted, the first are named with the reason."""
    counts: Counter[str] = Counter()
    named: list[str] = []
    for file, found in others:
        counts[found.value] += 1
        if len(named) < MAX_NAMED:
            named.append(f"{quoted(file.key)}: {standing.why(feed, file)}")
    return Taken(**dict[str, Any](counts), named=tuple(named))


def decode(body: str) -> FileVersion:
    """Read the file version out of an EventBridge event `Object Created` as SQS carries it.

    The key is as the event has it; `event_keys` finds out which object that means.

    Raises:
        ContractError: it isn't such an event.
    """
    try:
        event = json.loads(body)
        detail, found = event["detail"], event["detail"]["object"]
        return FileVersion(
            bucket=detail["bucket"]["name"],
            key=_as_s3_has_it(found["key"]),
            version_id=found.get("version-id") or NO_VERSION,
            etag=found["etag"].strip('"'),
            size=int(found["size"]),
            last_modified=clock.to_iso(clock.parse_utc(event["time"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise ContractError(
            f"expected an EventBridge event 'Object Created', found {body[:200]!r} ({error!r})"
        ) from error


def _as_s3_has_it(key: str) -> str:
    """Return a key; ValueError where it can't be UTF-8, as JSON's escapes may write half a surrogate pair."""
    key.encode()
    return key


def arrivals(
    feed: Feed, files: Iterable[FileVersion], now: datetime, how: str = EVENT
) -> tuple[list[FileRecord], Taken]:
    """Return the ledger's records of the files that are work for the feed, and how many are not."""
    found = [(file, standing.of(feed, file)) for file in files]
    work = (file for file, what in found if what is Standing.WORK)
    records = [file_moves.arrive(file, feed.name, standing.time_of(feed, file), now, how) for file in work]
    return records, no_work(feed, (each for each in found if each[1] is not Standing.WORK))


def record(ledger: Ledger, feed: Feed, files: Iterable[FileVersion], now: datetime, how: str = EVENT) -> Taken:
    """Write arrivals to the ledger, with how they were noticed; what it has already stays as it is."""
    records, taken = arrivals(feed, files, now, how)
    note(ledger, feed, records, now)
    added = ledger.side_by_side(ledger.add, records)
    return taken + Taken(new=sum(added), known=len(added) - sum(added))


def note(ledger: Ledger, feed: Feed, files: Sequence[FileRecord], now: datetime) -> None:
    """Write down that files arrive, before the first of them is the feed's."""
    if files and not ledger.try_move(feed_moves.arrived(feed.name, feed.prefix, last_of(files, now), now)).done:
        ledger.move(feed_moves.known(feed.name, feed.prefix, now))


def last_of(files: Iterable[FileRecord], now: datetime) -> str:
    """Return when the last of some files was written, ISO 8601; not later than now, whatever a worker made of it."""
    return min(max(file.last_modified for file in files), clock.to_iso(now))


def drain(sqs: Any, s3: Any, queue: str, ledger: Ledger, feed: Feed) -> Taken:
    """Take the messages that lie in a feed's queue: decode, record, acknowledge; a stream without end is left in time.

    A message that can't be understood stays, and comes to the dead-letter queue after a few deliveries.
    """
    total, until = Taken(), time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < until:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=RECEIVE).get("Messages", [])
        if not messages:
            break
        files = _meant(s3, understood(messages))
        total += record(ledger, feed, dict.fromkeys(files.values()), clock.now())
        acknowledge(sqs, queue, list(files))
    return total


def understood(messages: Sequence[Mapping[str, Any]]) -> dict[str, FileVersion]:
    """Return the file version of each message that is understood, by receipt handle; the others are logged."""
    files = {}
    for message in messages:
        try:
            files[message["ReceiptHandle"]] = decode(message["Body"])
        except ContractError as error:
            log.error("message %s is left for the dead-letter queue: %s", message.get("MessageId"), error)  # noqa: TRY400
    return files


def _meant(s3: Any, files: Mapping[str, FileVersion]) -> dict[str, FileVersion]:
    found = {}
    for receipt, file in files.items():
        try:
            found[receipt] = event_keys.meant(s3, file)
        except ContractError as error:
            log.error("a message is left for the dead-letter queue: %s", error)  # noqa: TRY400
    return found


def acknowledge(sqs: Any, queue: str, receipts: Sequence[str]) -> None:
    """Delete messages, and try once more what could not be deleted; the rest comes again, and finds its file known."""
    for _ in range(DELETE_TRIES):
        if receipts:
            answer = sqs.delete_message_batch(QueueUrl=queue, Entries=delete_entries(receipts))
            receipts = undeleted(answer, receipts)


def undeleted(answer: Mapping[str, Any], receipts: Sequence[str]) -> list[str]:
    """Return the receipts that DeleteMessageBatch reports as failed, although it answers 200."""
    failed = answer.get("Failed", [])
    for entry in failed:
        log.warning("a message could not be deleted: %s %s", entry.get("Code"), entry.get("Message"))
    return [receipts[int(entry["Id"])] for entry in failed]


def delete_entries(receipts: Sequence[str]) -> list[dict[str, str]]:
    """Return DeleteMessageBatch's entries."""
    return [{"Id": str(index), "ReceiptHandle": receipt} for index, receipt in enumerate(receipts)]
