"""Where things lie in the results bucket: readable, bounded and unambiguous, whatever the key.

results/FEED/YYYY/MM/DD/<safe stem>-<12 hex of the identity>/g<generation>/_result.json
quarantine/FEED/…                                 the same place, for files that are INVALID
manifests/FEED/<claim>/plan.json, round-1.units   what a run meant to do, and gave its workers
history/FEED/date=YYYY-MM-DD/<claim>.ndjson       what became of a claim's files, for DuckDB and Athena
current/FEED/results/<part>.ndjson                the current results, of part of the feed's keys
current/FEED/tables/<name>/<part>.txt             where their Parquet files of one name are
"""

from __future__ import annotations

import re

from filebatch.core.contract import FileVersion, Work

RESULTS = "results"
QUARANTINE = "quarantine"
MANIFESTS = "manifests"
HISTORY = "history"
CURRENT = "current"
LINES = ".ndjson"
RESULT_FILE = "_result.json"

MAX_STEM = 80
_ROUND = re.compile(rf"{MANIFESTS}/(?P<feed>[^/]+)/(?P<claim>[^/]+)/round-(?P<number>\d+)\.units")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def safe_stem(key: str) -> str:
    """Return the last part of a key without its extensions, as at most 80 characters of `A-Za-z0-9._-`.

    It never begins with a dot and never is empty. Different keys may share a stem; the identity tells them apart.
    """
    name = key.rstrip("/").rsplit("/", 1)[-1]
    stem = _UNSAFE.sub("-", name.lstrip(".").split(".", 1)[0]).strip("-.")
    return stem[:MAX_STEM] or "file"


def of_file(area: str, feed: str, file: FileVersion, file_time: str) -> str:
    """Return the prefix of a file version in `area` (RESULTS or QUARANTINE), ending in a slash."""
    day = file_time[:10].replace("-", "/")
    return f"{area}/{feed}/{day}/{safe_stem(file.key)}-{file.identity[:12]}/"


def of_generation(area: str, feed: str, work: Work) -> str:
    """Return the prefix of one generation of a file version, ending in a slash."""
    return f"{of_file(area, feed, work.file, work.file_time)}g{work.generation}/"


def result(feed: str, work: Work) -> str:
    """Return the key of the document that makes a result exist."""
    return of_generation(RESULTS, feed, work) + RESULT_FILE


def plan(feed: str, claim: str) -> str:
    """Return the key of a claim's plan."""
    return f"{MANIFESTS}/{feed}/{claim}/plan.json"


def history(feed: str, day: str, claim: str) -> str:
    """Return the key of what became of a claim's files, below the day on which it began (`YYYY-MM-DD`)."""
    return f"{HISTORY}/{feed}/date={day}/{claim}.ndjson"


def round_units(feed: str, claim: str, number: int) -> str:
    """Return the key of the units of a claim's round."""
    return f"{MANIFESTS}/{feed}/{claim}/round-{number}.units"


def parse_round_units(key: str) -> tuple[str, str, int] | None:
    """Return feed, claim and round of a key that `round_units` made; None for any other."""
    match = _ROUND.fullmatch(key)
    return (match["feed"], match["claim"], int(match["number"])) if match else None


def current_results(feed: str, part: str) -> str:
    """Return the key of a part of a feed's current results."""
    return f"{CURRENT}/{feed}/results/{part}{LINES}"


def current_table(feed: str, name: str, part: str) -> str:
    """Return the key of the list of a part's current outputs of one name."""
    return f"{CURRENT}/{feed}/tables/{name}/{part}.txt"
