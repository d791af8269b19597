"""The audit: bucket, ledger and results compared, file by file.

lost      in the bucket and a feed's, but not in the ledger, or in no state that will move
doubled   more than one commit for one generation of a file version
untrue    a state that the results contradict
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from filebatch.core import paths, states
from filebatch.core.contract import FileVersion
from filebatch.core.ledger import Item, Ledger, file_of
from filebatch.feeds import standing
from filebatch.feeds.feed import Feed
from filebatch.feeds.settings import Settings
from filebatch.feeds.standing import Standing
from filebatch.intake import listing


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
    """What the audit found, and how many file versions it looked at."""

    files: int
    findings: tuple[Finding, ...]

    def count(self, kind: str) -> int:
        """Return how many findings are of a kind."""
        return sum(finding.kind == kind for finding in self.findings)

    def __str__(self) -> str:
        """Say it in one line, and a line for each finding."""
        counts = " ".join(f"{kind}={self.count(kind)}" for kind in ("lost", "doubled", "untrue"))
        lines = [f"{finding.kind} {finding.file!r}: {finding.what}" for finding in self.findings]
        return "\n".join([f"{counts} files={self.files}", *lines])


def audit(feeds: Iterable[Feed], settings: Settings, s3: Any, dynamodb: Any) -> Audit:
    """Compare bucket, ledger and results of some feeds. Meant for a quiet moment: what moves meanwhile may be told."""
    commits = list(committed(s3, settings.results))
    items = list(Ledger(dynamodb, settings.ledger).scan())
    files = [(feed, file) for feed in feeds for file in _work(s3, settings.new_files, feed)]
    ledger = {(item["pk"], item["sk"]): item for item in items if "key" in item}
    runs = {item["sk"]: item for item in items if item["pk"].startswith("run#")}
    findings = [
        *lost([file for _, file in files], ledger, runs),
        *doubled(commits),
        *untrue(ledger.values(), commits, settings.results),
    ]
    return Audit(len(files), tuple(findings))


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


def _work(s3: Any, bucket: str, feed: Feed) -> Iterable[FileVersion]:
    for file in listing.versions(s3, bucket, feed.prefix):
        if standing.of(feed, file) is Standing.WORK:
            yield file
