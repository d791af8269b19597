"""The audit: bucket, ledger and results compared, file by file.

lost      in the bucket and a feed's, but not in the ledger, or in no state that will move
doubled   more than one commit for one generation of a file version
untrue    a state that the results contradict

Beside these it counts what isn't wrong: files that came since the feed's last sweep and that nobody has taken yet
(new), and what is no work: unmatched, history, ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from filebatch.core import clock, paths, states
from filebatch.core.contract import FileVersion
from filebatch.core.ledger import Item, Ledger, file_of
from filebatch.feeds import standing
from filebatch.feeds.feed import Feed
from filebatch.feeds.settings import Settings
from filebatch.feeds.standing import Standing
from filebatch.intake import arrivals, listing
from filebatch.intake.arrivals import Taken


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: of which kind, with which file, and what."""

    kind: str
    file: str
    what: str


@dataclass(frozen=True)
class Commit:
    """A `_result.json`: where it lies, of which file version's short identity, generation, and how often written."""

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
        counts = " ".join(f"{kind}={self.count(kind)}" for kind in ("lost", "doubled", "untrue"))
        lines = [f"{finding.kind} {finding.file!r}: {finding.what}" for finding in self.findings]
        others = f"unmatched={self.no_work.unmatched} history={self.no_work.history} ignored={self.no_work.ignored}"
        if self.new:
            lines.append(f"new: {self.new} files that nobody has taken yet; the feed's next run or sweep does")
        lines += [f"no work: {each}" for each in self.no_work.named]
        return "\n".join([f"{counts} files={self.files} {others} new={self.new}", *lines])


def audit(feeds: Iterable[Feed], settings: Settings, s3: Any, dynamodb: Any) -> Audit:
    """Compare bucket, ledger and results of some feeds. Meant for a quiet moment: what moves meanwhile may be told."""
    commits = list(committed(s3, settings.results))
    items = list(Ledger(dynamodb, settings.ledger).scan())
    listed = [(feed, file) for feed in feeds for file in listing.versions(s3, settings.new_files, feed.prefix)]
    files = [(feed, file) for feed, file in listed if standing.of(feed, file) is Standing.WORK]
    no_work = (arrivals.no_work(feed, file) for feed, file in listed if standing.of(feed, file) is not Standing.WORK)
    ledger = {(item["pk"], item["sk"]): item for item in items if "key" in item}
    runs = {item["sk"]: item for item in items if item["pk"].startswith("run#")}
    new = set(unseen(files, ledger, items))
    findings = [
        *lost([file for _, file in files if file not in new], ledger, runs),
        *doubled(commits),
        *untrue(ledger.values(), commits, settings.results),
    ]
    return Audit(len(files), tuple(findings), len(new), sum(no_work, Taken()))


def unseen(
    files: Iterable[tuple[Feed, FileVersion]], ledger: Mapping[states.Key, Item], items: Iterable[Item]
) -> Iterator[FileVersion]:
    """Yield the files that came since their feed's last sweep and aren't in the ledger: nobody has looked for them."""
    swept = {item["pk"]: item for item in items if item["sk"] == states.sweep_key("")[1]}
    for feed, file in files:
        until = listing.swept_until(swept.get(states.sweep_key(feed.name)[0]), feed)
        if states.file_key(file) not in ledger and clock.parse_utc(file.last_modified) >= until:
            yield file


def lost(
    files: Iterable[FileVersion], ledger: Mapping[states.Key, Item], runs: Mapping[str, Item]
) -> Iterable[Finding]:
    """Yield the files that nobody will ever do."""
    for file in files:
        item = ledger.get(states.file_key(file))
        why = "not in the ledger" if item is None else stuck(item, runs)
        if why:
            yield Finding("lost", file.uri, why)


def stuck(item: Item, runs: Mapping[str, Item]) -> str:
    """Say why a file's state will not move by itself, though it should; "" where all is well."""
    if item["state"] == states.ARRIVED and "open" not in item:
        return "ARRIVED, but not among the files that wait"
    if item["state"] == states.CLAIMED:
        run = runs.get(item.get("claim", ""))
        if run is None:
            return f"CLAIMED by {item.get('claim')}, of which there is no owner record"
        if run["state"] not in (states.PLANNED, states.CLAIMED):
            return f"CLAIMED by run {run['run_id']}, which is {run['state']}"
    return ""


def doubled(commits: Iterable[Commit]) -> Iterable[Finding]:
    """Yield generations that were committed more than once, at one place or at two."""
    places: dict[tuple[str, int], list[Commit]] = {}
    for commit in commits:
        places.setdefault((commit.identity, commit.generation), []).append(commit)
    for found in places.values():
        written = sum(commit.written for commit in found)
        if written > 1:
            yield Finding("doubled", found[0].key, f"generation {found[0].generation} was committed {written} times")


def untrue(items: Iterable[Item], commits: Iterable[Commit], bucket: str) -> Iterable[Finding]:
    """Yield files whose state the results contradict."""
    there = {f"s3://{bucket}/{commit.key}" for commit in commits}
    generations = {(commit.identity, commit.generation) for commit in commits}
    for item in items:
        identity, generation = file_of(item).identity[:12], item["generation"]
        done = item["state"] in states.DONE
        if done and item.get("result") not in there:
            yield Finding("untrue", item["pk"], f"{item['state']}, but there is no {item.get('result')}")
        elif done and f"/g{generation}/" not in item["result"]:
            yield Finding("untrue", item["pk"], f"generation {generation}, but its result is {item['result']}")
        elif item["state"] in (states.ARRIVED, states.FAILED) and (identity, generation) in generations:
            yield Finding("untrue", item["pk"], f"{item['state']}, but generation {generation} is committed")


def committed(s3: Any, bucket: str) -> Iterable[Commit]:
    """List the `_result.json` objects, with all versions of each: one that was overwritten was committed twice."""
    written: dict[str, int] = {}
    for version in listing.versions(s3, bucket, f"{paths.RESULTS}/"):
        if version.key.endswith(f"/{paths.RESULT_FILE}"):
            written[version.key] = written.get(version.key, 0) + 1
    for key, count in written.items():
        folder, generation = key.split("/")[-3:-1]
        yield Commit(key, folder[-12:], int(generation.removeprefix("g")), count)
