"""What a run tells people: a summary as values, as readable text and as JSON, within SNS's limits.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: 256 KiB a message; a subject of at most 100 ASCII
characters without line breaks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from filebatch.core import states
from filebatch.core.ledger import Item
from filebatch.core.wording import plain, quoted

MAX_FILES = 100  # of a summary; the manifest has them all

_ORDER = {states.FAILED: 0, states.INVALID: 1, states.SUCCEEDED: 2}
_TITLES = {
    "SUCCEEDED": "all files processed",
    "INVALID": "some files are invalid",
    "FAILED": "some files failed",
    "UNSETTLED": "the run could not be settled",
}


# What `paths.py` makes of results' keys; a worker writes it into the ledger, and could write anything.
_RESULT = re.compile(r"s3://[a-z0-9-]+/[A-Za-z0-9._/-]+/_result\.json")


@dataclass(frozen=True)
class FileLine:
    """One file of a summary."""

    key: str
    version: str
    state: str
    rows: int | None
    result: str | None
    error: str | None


@dataclass(frozen=True)
class Summary:
    """What became of a run.

    Attributes:
        feed: feed name.
        run_id: Airflow's run.
        status: SUCCEEDED, INVALID, FAILED or UNSETTLED: the worst that is true.
        counts: files by state.
        files: the worst files first, at most MAX_FILES.
        more: how many files are not among them.
        manifest: URI of the plan that names all files.
        job_id: Batch's job, if there was one.
    """

    feed: str
    run_id: str
    status: str
    counts: Mapping[str, int]
    files: tuple[FileLine, ...]
    more: int
    manifest: str
    job_id: str | None

    @property
    def subject(self) -> str:
        """One line: `filebatch weather: some files failed (3 SUCCEEDED, 1 FAILED)`."""
        counted = ", ".join(f"{number} {state}" for state, number in sorted(self.counts.items()))
        return f"filebatch {self.feed}: {_TITLES[self.status]}" + (f" ({counted})" if counted else "")

    @property
    def text(self) -> str:
        """The message for people: what strangers wrote links nowhere in it, and hides nothing."""
        lines = [
            self.subject,
            "",
            f"run      {plain(self.run_id)}",
            f"job      {plain(self.job_id or '-')}",
            f"manifest {self.manifest}",
            "",
        ]
        for file in self.files:
            rows = "" if file.rows is None else f"{file.rows} rows  "
            outcome = "  ".join(filter(None, (plain(file.error or ""), _place(file.result))))
            lines.append(f"{plain(file.state):<9} {quoted(file.key)}  {rows}{outcome}")
        return "\n".join([*lines, f"… and {self.more} more"] if self.more else lines)

    def to_json(self) -> dict[str, Any]:
        """The message for programs: keys are exactly as S3 has them."""
        return asdict(self)

    def shorter(self) -> Summary:
        """Return it with half of its files; those left out are counted in `more`."""
        kept = self.files[: len(self.files) // 2]
        return replace(self, files=kept, more=self.more + len(self.files) - len(kept))

    @property
    def attributes(self) -> dict[str, str]:
        """What subscribers can filter by."""
        return {"feed": self.feed, "status": self.status}


def summarize(feed: str, record: Item, items: Sequence[Item], manifest: str) -> Summary:
    """Sum up a claim from its owner record and its files."""
    counts: dict[str, int] = {}
    for item in items:
        counts[item["state"]] = counts.get(item["state"], 0) + 1
    worst = sorted(items, key=lambda item: _ORDER.get(item["state"], -1))
    return Summary(
        feed,
        record["run_id"],
        _status(record, counts),
        counts,
        tuple(_line(item) for item in worst[:MAX_FILES]),
        max(0, len(items) - MAX_FILES),
        manifest,
        record.get("fence") or record.get("job_id"),
    )


def _status(record: Item, counts: Mapping[str, int]) -> str:
    if record["state"] in (states.PLANNED, states.CLAIMED):
        return "UNSETTLED"
    return next((state for state in (states.FAILED, states.INVALID) if counts.get(state)), states.SUCCEEDED)


def _line(item: Item) -> FileLine:
    reason = item.get("reason")
    return FileLine(
        key=item["key"],
        version=item["sk"],
        state=item["state"],
        rows=item.get("rows"),
        result=item.get("result"),
        error=f"{reason['code']}: {reason['message'][:500]}" if reason else None,
    )


def _place(result: str | None) -> str:
    return result if result and _RESULT.fullmatch(result) else plain(result or "")
