"""What a run's log says of its files once they are settled: how many became what, and each that needs somebody.

Grouped by state and code, and bounded: of ten thousand files that fail for one reason ten are named, with the end of
five containers' logs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from filebatch.core.records import FileRecord, FileState
from filebatch.core.rows import Row
from filebatch.core.wording import plain, quoted

MAX_GROUPS = 20
MAX_NAMED = 10  # files of a group
MAX_LOGS = 5  # files whose container's log is shown

Group = tuple[FileState, str]
BAD = (FileState.FAILED, FileState.INVALID)
WORDS = {
    FileState.FAILED: "failed",
    FileState.INVALID: "invalid",
    FileState.ARRIVED: "wait again",
    FileState.CLAIMED: "not settled",
    FileState.SUCCEEDED: "succeeded",
}


@dataclass(frozen=True)
class Shown:
    """What is known of the container that did a file: its job, its log's address, and what that says of the file.

    `page` is the job's address in the console, where one is known.
    """

    job_id: str
    log: str | None = None
    lines: Sequence[str] = field(default=())
    page: str | None = None


def counted(counts: Mapping[str, int]) -> str:
    """Say how many files became what, the worst first: `1 failed, 1 invalid, 2 succeeded of 4 files`."""
    found = [f"{counts[state]:,} {word}" for state, word in WORDS.items() if counts.get(state)]
    total = sum(counts.values())
    return f"{', '.join(found)} of {total:,} {'file' if total == 1 else 'files'}" if found else "no files"


def worst_first(files: Sequence[FileRecord]) -> list[FileRecord]:
    """Return the files, those first that need people most."""
    order = list(WORDS)
    return sorted(files, key=lambda file: order.index(file.state))


def groups(files: Sequence[FileRecord]) -> dict[Group, list[FileRecord]]:
    """Return the files by state and code, the worst state first, then the most files."""
    keys = Counter((file.state, _code(file)) for file in files)
    order = list(WORDS)
    ranked = sorted(keys, key=lambda key: (order.index(key[0]), -keys[key], key[1]))
    return {key: [file for file in files if (file.state, _code(file)) == key] for key in ranked}


def table(files: Sequence[FileRecord]) -> Iterator[str]:
    """Yield the lines of a table: state, code, number of files."""
    rows = [(str(state), code, f"{len(found):,}") for (state, code), found in groups(files).items()]
    widths = [max(len(row[at]) for row in [("STATE", "WHY", "FILES"), *rows]) for at in range(3)]
    for state, code, number in [("STATE", "WHY", "FILES"), *rows]:
        yield f"{state:<{widths[0]}}  {code:<{widths[1]}}  {number:>{widths[2]}}"


def named(files: Sequence[FileRecord]) -> dict[Group, list[FileRecord]]:
    """Return the files that are named, by group: those that FAILED and are INVALID, at most MAX_NAMED of a group."""
    bad = groups([file for file in files if file.state in BAD])
    return {key: found[:MAX_NAMED] for key, found in list(bad.items())[:MAX_GROUPS]}


def with_logs(files: Sequence[FileRecord]) -> list[FileRecord]:
    """Return the files whose logs are shown: one of each group first, as alike files have alike logs."""
    lists = named(files).values()
    ranked = [found[turn] for turn in range(MAX_NAMED) for found in lists if turn < len(found)]
    return ranked[:MAX_LOGS]


def bad_files(
    files: Sequence[FileRecord], max_attempts: int, shown: Mapping[Row[FileRecord], Shown], more: str
) -> Iterator[str]:
    """Yield the lines that name each file that FAILED or is INVALID, with why, and what its container wrote.

    Args:
        files: the run's files.
        max_attempts: how often a file that fails is tried by itself.
        shown: what is known of containers, by file.
        more: where people find the files that aren't named.
    """
    bad = groups([file for file in files if file.state in BAD])
    for (state, code), found in list(bad.items())[:MAX_GROUPS]:
        yield f"{state} {code}: {len(found):,} {'file' if len(found) == 1 else 'files'}"
        for file in found[:MAX_NAMED]:
            yield f"  {quoted(file.key)}: {_why(file)}; {_attempts(file, max_attempts)}"
            yield from _container(shown.get(file.row))
        if len(found) > MAX_NAMED:
            yield f"  … and {len(found) - MAX_NAMED:,} more: {more}"
    if len(bad) > MAX_GROUPS:
        yield f"… and {len(bad) - MAX_GROUPS} other reasons: {more}"


def _container(found: Shown | None) -> Iterator[str]:
    if found is None:
        return
    yield f"    job {found.job_id}" + (f", log {found.log}" if found.log else "")
    for line in found.lines:
        yield f"    | {line}"


def _attempts(file: FileRecord, max_attempts: int) -> str:
    if file.state is FileState.INVALID:
        return "quarantined"
    again = f", tried again from {file.due_at} on" if file.open else ""
    return f"attempt {file.attempts} of {max_attempts}{again}"


def _code(file: FileRecord) -> str:
    return plain(file.reason.code, 40) if file.reason else ""


def _why(file: FileRecord) -> str:
    return plain(file.reason.message) if file.reason else "no reason is written down"
