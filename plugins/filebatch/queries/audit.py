"""The audit: bucket, ledger and results compared, file by file.

lost      in the bucket and a feed's, but not in the ledger
doubled   more than one commit for one generation of a file version
untrue    a state that the results contradict
stuck     a file in a state that nothing will move, or a claim that nobody settles

Beside these it counts what isn't wrong: files that came since the feed's last sweep and that nobody has taken yet
(new), and what is no work: unmatched, history, ignored.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from filebatch.core import clock, paths
from filebatch.core.contract import FileVersion
from filebatch.core.feed_records import Sweep
from filebatch.core.ledger import Ledger
from filebatch.core.records import DONE, FileRecord, FileState, RunRecord
from filebatch.core.rows import Row
from filebatch.feeds import standing
from filebatch.feeds.feed import Feed
from filebatch.feeds.settings import Settings
from filebatch.feeds.standing import Standing
from filebatch.intake import arrivals, listing
from filebatch.intake.arrivals import Taken
from filebatch.queries.health import OVERDUE

# Where a generation's result lies, as `paths.py` makes it: the folder ends with the file version's short identity.
_PLACE = re.compile(rf"(?P<identity>[^/]{{12}})/g(?P<generation>[0-9]{{1,9}})/{re.escape(paths.RESULT_FILE)}")

KINDS = ("lost", "doubled", "untrue", "stuck")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: of which kind, with which file, and what."""

    kind: str
    file: str
    what: str


@dataclass(frozen=True)
class Commit:
    """A `_result.json`: where it lies, of which file version's short identity, generation, and how often written."""

    bucket: str
    key: str
    identity: str
    generation: int
    written: int


@dataclass(frozen=True)
class Audit:
    """What the audit found, how many file versions it looked at, and how many of them are new; and what is no work."""

    files: int
    findings: tuple[Finding, ...]
    new: int = 0
    no_work: Taken = field(default_factory=Taken)

    def count(self, kind: str) -> int:
        """Return how many findings are of a kind."""
        return sum(finding.kind == kind for finding in self.findings)

    def __str__(self) -> str:
        """Say it in one line, and a line for each finding."""
        counts = " ".join(f"{kind}={self.count(kind)}" for kind in KINDS)
        lines = [f"{finding.kind} {finding.file!r}: {finding.what}" for finding in self.findings]
        others = f"unmatched={self.no_work.unmatched} history={self.no_work.history} ignored={self.no_work.ignored}"
        if self.new:
            lines.append(f"new: {self.new} files that nobody has taken yet; the feed's next run or sweep does")
        lines += [f"no work: {each}" for each in self.no_work.named]
        return "\n".join([f"{counts} files={self.files} {others} new={self.new}", *lines])


def audit(feeds: Iterable[Feed], settings: Settings, s3: Any, dynamodb: Any) -> Audit:
    """Compare bucket, ledger and results of some feeds. Meant for a quiet moment: what moves meanwhile may be told."""
    feeds = list(feeds)
    table = Ledger(dynamodb, settings.ledger)
    buckets = sorted({settings.results(feed.name) for feed in feeds})
    commits, records = [each for bucket in buckets for each in committed(s3, bucket)], list(table.scan())
    listed = [(feed, _listed(feed, s3, settings.new_files)) for feed in feeds]
    files = [(feed, file) for feed, found in listed for file, what in found if what is Standing.WORK]
    no_work = (arrivals.no_work(feed, _others(found)) for feed, found in listed)
    ledger = {record.row: record for record in records if isinstance(record, FileRecord)}
    runs = [record for record in records if isinstance(record, RunRecord)]
    until = {feed.name: listing.swept_until(table.get(Sweep.at(feed.name)), feed) for feed in feeds}
    new = set(unseen(files, ledger, until))
    findings = [
        *lost([file for _, file in files if file not in new], ledger),
        *doubled(commits),
        *untrue(ledger.values(), commits),
        *stuck(ledger.values(), runs, clock.now()),
        *homeless(ledger.values(), {feed.name for feed in feeds}),
    ]
    return Audit(len(files), tuple(findings), len(new), sum(no_work, Taken()))


def _listed(feed: Feed, s3: Any, bucket: str) -> list[tuple[FileVersion, Standing]]:
    return [(file, standing.of(feed, file)) for file in listing.versions(s3, bucket, feed.prefix)]


def _others(found: Iterable[tuple[FileVersion, Standing]]) -> Iterator[tuple[FileVersion, Standing]]:
    return (each for each in found if each[1] is not Standing.WORK)


def unseen(
    files: Iterable[tuple[Feed, FileVersion]],
    ledger: Mapping[Row[FileRecord], FileRecord],
    until: Mapping[str, datetime],
) -> Iterator[FileVersion]:
    """Yield the files that came since their feed's last sweep and aren't in the ledger: nobody has looked for them."""
    for feed, file in files:
        if FileRecord.at(file) not in ledger and clock.parse_utc(file.last_modified) >= until[feed.name]:
            yield file


def lost(files: Iterable[FileVersion], ledger: Mapping[Row[FileRecord], FileRecord]) -> Iterable[Finding]:
    """Yield the files that nobody knows of."""
    for file in files:
        if FileRecord.at(file) not in ledger:
            yield Finding("lost", file.uri, "not in the ledger")


def stuck(files: Iterable[FileRecord], runs: Iterable[RunRecord], now: datetime) -> Iterable[Finding]:
    """Yield the files whose state nothing will move, though it should, and the claims that nobody settles."""
    claims, overdue = {run.token: run for run in runs}, clock.to_iso(now - OVERDUE)  # times sort as they are written
    for file in files:
        if why := _why_stuck(file, claims.get(file.claim or "")):
            yield Finding("stuck", file.pk, why)
    for run in claims.values():
        if not run.is_settled and run.overdue_since and run.overdue_since < overdue:
            yield Finding("stuck", run.run_id, f"{run.state} without a heartbeat since {run.overdue_since}")


def homeless(files: Iterable[FileRecord], feeds: Collection[str]) -> Iterable[Finding]:
    """Yield unfinished files of feeds that aren't there: removed, or renamed and not swept since."""
    for file in files:
        if file.feed not in feeds and (file.open or file.state is FileState.CLAIMED):
            yield Finding("stuck", file.pk, f"{file.state} for feed {file.feed}, which isn't there")


def _why_stuck(file: FileRecord, run: RunRecord | None) -> str:
    if file.state is FileState.ARRIVED and not file.open:
        return "ARRIVED, but not among the files that wait"
    if file.state is not FileState.CLAIMED:
        return ""
    if run is None:
        return f"CLAIMED by {file.claim}, of which there is no owner record"
    return f"CLAIMED by run {run.run_id}, which is {run.state}" if run.is_settled else ""


def doubled(commits: Iterable[Commit]) -> Iterable[Finding]:
    """Yield generations that were committed more than once, at one place or at two."""
    places: dict[tuple[str, int], list[Commit]] = {}
    for commit in commits:
        places.setdefault((commit.identity, commit.generation), []).append(commit)
    for found in places.values():
        written = sum(commit.written for commit in found)
        if written > 1:
            yield Finding("doubled", found[0].key, f"generation {found[0].generation} was committed {written} times")


def untrue(files: Iterable[FileRecord], commits: Iterable[Commit]) -> Iterable[Finding]:
    """Yield files whose state the results contradict."""
    there = {f"s3://{commit.bucket}/{commit.key}" for commit in commits}
    generations = {(commit.identity, commit.generation) for commit in commits}
    for file in files:
        identity, generation = file.file.identity[:12], file.generation
        done = file.state in DONE and not file.forgotten_at
        if done and file.result not in there:
            yield Finding("untrue", file.pk, f"{file.state}, but there is no {file.result}")
        elif done and f"/g{generation}/" not in (file.result or ""):
            yield Finding("untrue", file.pk, f"generation {generation}, but its result is {file.result}")
        elif file.state in (FileState.ARRIVED, FileState.FAILED) and (identity, generation) in generations:
            yield Finding("untrue", file.pk, f"{file.state}, but generation {generation} is committed")


def committed(s3: Any, bucket: str) -> Iterable[Commit]:
    """List the `_result.json` objects, with all versions of each: one that was overwritten was committed twice."""
    written: dict[str, int] = {}
    for version in listing.versions(s3, bucket, f"{paths.RESULTS}/"):
        if version.key.endswith(f"/{paths.RESULT_FILE}"):
            written[version.key] = written.get(version.key, 0) + 1
    for key, count in written.items():
        if place := _PLACE.search(key):  # a worker may write whatever it likes below its feed's prefix
            yield Commit(bucket, key, place["identity"], int(place["generation"]), count)
