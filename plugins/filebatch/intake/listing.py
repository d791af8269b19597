"""What lies in the bucket: versions under a prefix, and the sweep that finds what no event brought."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from itertools import chain, islice
from typing import Any

from filebatch.core import clock, feed_moves, file_moves
from filebatch.core.contract import FileVersion
from filebatch.core.feed_records import Sweep, Sweeping
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord, FileState
from filebatch.feeds import standing
from filebatch.feeds.feed import Feed
from filebatch.feeds.selection import Selection
from filebatch.feeds.standing import Standing
from filebatch.feeds.windows import DAY, Window
from filebatch.intake import arrivals
from filebatch.intake.arrivals import Taken

# A window of more days than this is one listing of the whole prefix rather than one a day.
MAX_DAYS = 366
# The sweep looks again at what is this much older than the last one: LastModified of a multipart upload is when it
# was begun, which may be as long ago as the bucket lets one lie (7 days); a day more, as clocks differ.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
SWEEP_OVERLAP = timedelta(days=8)
LOOKED_UP = 1000  # listed files whose records are looked up at once
NEVER = datetime.min.replace(tzinfo=UTC) + SWEEP_OVERLAP

log = logging.getLogger(__name__)


def versions(s3: Any, bucket: str, prefix: str, *, latest: bool = False) -> Iterator[FileVersion]:
    """List the object versions under a prefix (ListObjectsV2 doesn't tell versions); 1,000 a call.

    Args:
        s3: client.
        bucket: bucket name.
        prefix: key prefix.
        latest: only the current version of each key.
    """
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        yield from _of_page(bucket, page, latest=latest)


def _of_page(bucket: str, page: Mapping[str, Any], *, latest: bool = False) -> Iterator[FileVersion]:
    for found in page.get("Versions", []):
        if found["IsLatest"] or not latest:
            yield version_of(bucket, found)


def prefixes(feed: Feed, start: datetime | None, end: datetime | None) -> list[str]:
    """Return the prefixes that hold the feed's files of a window: one a day, where the keys' layout allows it."""
    if not (feed.day_prefix and start and end):
        return [feed.prefix]
    first, last = start.astimezone(UTC).date(), (end.astimezone(UTC) - timedelta(microseconds=1)).date()
    days = (last - first).days + 1
    if days > MAX_DAYS:
        return [feed.prefix]
    found = (feed.prefix + (first + timedelta(days=day)).strftime(feed.day_prefix) for day in range(days))
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Looked:
    """What a look at the bucket found.

    Attributes:
        files: the files of a selection.
        no_work: what else it names that is no work.
        why: of named keys, why they are no work.
    """

    files: Sequence[FileVersion] = ()
    no_work: Taken = field(default_factory=Taken)
    why: Mapping[str, str] = field(default_factory=dict)


def look(s3: Any, bucket: str, feed: Feed, ledger: Ledger, selection: Selection) -> Looked:
    """List the file versions that a selection names, whatever their state; of named keys the current version.

    Which ones those are is decided by the ledger's time of a file, where it has the file.
    """
    if selection.keys:
        listed = (versions(s3, bucket, key, latest=True) for key in selection.keys)
    else:
        listed = (versions(s3, bucket, prefix) for prefix in _narrowed(feed, selection))
    files: dict[FileVersion, None] = {}  # one prefix may begin with another: `a.csv` and `a.csv.gz`, day 1 and day 10
    no_work: dict[FileVersion, Standing] = {}
    for file in as_recorded(ledger, feed, selection.window, chain.from_iterable(listed)):
        found = standing.of(feed, file)
        if not _is_named(feed, selection, file, found):
            continue
        if found is Standing.WORK:
            files[file] = None
        else:
            no_work[file] = found
    why = {file.key: standing.why(feed, file) for file in no_work} if selection.keys else {}
    return Looked(list(files), arrivals.no_work(feed, no_work.items()), why)


def selected(s3: Any, bucket: str, feed: Feed, ledger: Ledger, selection: Selection) -> Sequence[FileVersion]:
    """List the files of a selection alone."""
    return look(s3, bucket, feed, ledger, selection).files


def as_recorded(ledger: Ledger, feed: Feed, window: Window, files: Iterable[FileVersion]) -> Iterator[FileVersion]:
    """Yield listed files, each with the time that the ledger has of it where the two may lie in different windows.

    An event tells when an upload ended; LastModified of a multipart upload is when it was begun. What was recorded
    first counts from then on, so that a file is of one day whoever asks.
    """
    files = iter(files)
    while page := list(islice(files, LOOKED_UP)):
        doubtful = [FileRecord.at(file) for file in page if _may_be_of_another(feed, window, file)]
        known = ledger.get_many(doubtful) if doubtful else {}
        for file in page:
            record = known.get(FileRecord.at(file))
            yield replace(file, last_modified=record.last_modified) if record else file


def _may_be_of_another(feed: Feed, window: Window, file: FileVersion) -> bool:
    """Tell whether the event of a file without a date may have told of a time beyond an edge of window or history."""
    seen = clock.parse_utc(file.last_modified)
    edges = (window.start, window.end, datetime.combine(feed.start, time.min, UTC))
    near = any(edge and seen - DAY <= edge <= seen + SWEEP_OVERLAP for edge in edges)
    return near and feed.date_of(file.key) is None


def sweep(s3: Any, bucket: str, feed: Feed, ledger: Ledger, began: datetime) -> Taken:
    """Record the files of the feed that the bucket has and the ledger has not, as of `began`, the present moment.

    Only what changed since the last sweep is looked up in the ledger, as each sweep leaves nothing older unknown. It
    holds a page of the listing at a time, and one that was interrupted is gone on with: what it returns is of the rest.
    Files that wait for another feed, which had the prefix before, wait for this one from now on.
    """
    since = swept_until(ledger.get(Sweep.at(feed.name)), feed) - SWEEP_OVERLAP
    progress = _progress(feed, ledger.get(Sweeping.at(feed.name)), began)
    taken = Taken(unmatched=progress.unmatched)
    for page in _pages_after(s3, bucket, feed.prefix, progress):
        taken += _compare(ledger, feed, list(_of_page(bucket, page)), since, began)
        if page.get("IsTruncated") and not taken.held_by:  # what is held is looked at again after an interruption, too
            key, version = page["NextKeyMarker"], page["NextVersionIdMarker"]
            progress = replace(progress, after_key=key, after_version=version, unmatched=taken.unmatched)
            ledger.move(feed_moves.sweeping(feed.name, progress))
    if progress.after_key:
        ledger.move(feed_moves.sweeping(feed.name, replace(progress, after_key="", after_version="")))
    if not taken.held_by:  # else the next sweep looks at all of them again
        ledger.move(feed_moves.swept(feed.name, progress.definition, clock.parse_utc(progress.began), taken.unmatched))
    return taken


def _progress(feed: Feed, left: Sweeping | None, began: datetime) -> Sweeping:
    """Return where to begin: where an interrupted sweep was, if the feed still means the same files."""
    definition, row = _definition(feed), Sweeping.at(feed.name)
    if left is not None and left.after_key and left.definition == definition:
        return left
    now = clock.to_iso(began)
    return Sweeping(pk=row.pk, sk=row.sk, began=now, definition=definition, after_key="", after_version="")


def _pages_after(s3: Any, bucket: str, prefix: str, progress: Sweeping) -> Iterator[Mapping[str, Any]]:
    request = {"Bucket": bucket, "Prefix": prefix}
    if progress.after_key:
        request |= {"KeyMarker": progress.after_key, "VersionIdMarker": progress.after_version}
    yield from s3.get_paginator("list_object_versions").paginate(**request)


def _compare(ledger: Ledger, feed: Feed, files: Sequence[FileVersion], since: datetime, now: datetime) -> Taken:
    """Compare a page of the listing with the ledger."""
    standings = [(file, standing.of(feed, file)) for file in files]
    work = (file for file, found in standings if found is Standing.WORK)
    recent = [file for file in work if clock.parse_utc(file.last_modified) >= since]
    known = ledger.get_many([FileRecord.at(file) for file in recent])
    fresh = [file for file in recent if FileRecord.at(file) not in known]
    taken = arrivals.no_work(feed, (each for each in standings if each[1] is not Standing.WORK))
    taken += Taken(known=len(known), held_by=rehome(ledger, feed, known.values(), now))
    return taken + arrivals.record(ledger, feed, fresh, now, arrivals.SWEEP)


def rehome(ledger: Ledger, feed: Feed, known: Iterable[FileRecord], now: datetime) -> frozenset[str]:
    """Have what another feed had be this one's; return the feeds whose claims hold some.

    A feed that gets its name and prefix back looks at everything again, as files of it were taken away meanwhile.
    """
    others = [file for file in known if file.feed != feed.name]
    free = [file for file in others if file.state is not FileState.CLAIMED]
    arrivals.note(ledger, feed, free, now)
    ledger.try_all(file_moves.rehome(file, feed.name, now) for file in free)
    for former in sorted({file.feed for file in free}):
        ledger.try_move(feed_moves.unswept(former))
    return frozenset(file.feed for file in others if file.state is FileState.CLAIMED)


def swept_until(swept: Sweep | None, feed: Feed) -> datetime:
    """Return the moment before which the last sweep left no file unknown, from what it wrote down."""
    if swept is None or swept.definition != _definition(feed):
        return NEVER
    return clock.parse_utc(swept.swept_at)


def _definition(feed: Feed) -> str:
    """Tell whether the feed still means the same files: what changes it makes older files work."""
    meant = (feed.prefix, feed.pattern, str(feed.start), *filter(None, (feed.date_format, feed.day_prefix)))
    return hashlib.sha256("\0".join(meant).encode()).hexdigest()[:12]


def _narrowed(feed: Feed, selection: Selection) -> Iterable[str]:
    found = prefixes(feed, selection.window.start, selection.window.end)
    if found == [feed.prefix] and selection.window != Window():
        log.info("feed %s: the keys' layout does not bound the window; all of %r is listed", feed.name, feed.prefix)
    wanted = selection.prefix or feed.prefix
    return [max(prefix, wanted, key=len) for prefix in found if prefix.startswith(wanted) or wanted.startswith(prefix)]


def _is_named(feed: Feed, selection: Selection, file: FileVersion, found: Standing) -> bool:
    """Tell whether a selection names a file; of a key that is none of the feed's nobody can say which day it is of."""
    if found in (Standing.UNMATCHED, Standing.IGNORED) and not selection.keys:
        return file.key.startswith(selection.prefix)
    return selection.takes(file.key, standing.time_of(feed, file))


def version_of(bucket: str, found: Mapping[str, Any]) -> FileVersion:
    """Return an object version as ListObjectVersions tells it."""
    return FileVersion(
        bucket,
        found["Key"],
        found["VersionId"],
        found["ETag"].strip('"'),
        found["Size"],
        clock.to_iso(found["LastModified"]),
    )
