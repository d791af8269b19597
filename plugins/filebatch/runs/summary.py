"""What a run tells people: a summary as values, as readable text and as JSON, within SNS's limits.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: 256 KiB a message; a subject of at most 100 ASCII
characters without line breaks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.core.wording import plain, quoted
from filebatch.runs.report import counted

MAX_FILES = 100  # of a summary; the manifest has them all

_ORDER = {FileState.FAILED: 0, FileState.INVALID: 1, FileState.SUCCEEDED: 2}

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
class Bill:
    """What AWS bills for a run's containers.

    Attributes:
        containers: how many there were; each attempt of Batch has one of its own.
        vcpu_seconds: vCPU·s, of which `spot_vcpu_seconds` ran on Spot.
        gib_seconds: GiB·s, likewise.
        usd: what they cost at most, at `prices.json`'s prices; None for a region that it hasn't.
        estimated: whether some containers were taken to be like the others.
    """

    containers: int
    vcpu_seconds: float
    gib_seconds: float
    spot_vcpu_seconds: float
    spot_gib_seconds: float
    usd: float | None
    estimated: bool

    @property
    def text(self) -> str:
        """One line for people."""
        about, cost = "about " if self.estimated else "", "" if self.usd is None else f": at most {self.usd:.4f} USD"
        taken = f"{self.vcpu_seconds:g} vCPU·s and {self.gib_seconds:g} GiB·s"
        return f"{about}{taken} of {self.containers} container{'' if self.containers == 1 else 's'}{cost}"


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
        bill: what AWS bills for its containers, where that is known.
        page: address of the run's files in Airflow's UI, where it is known where that is.
    """

    feed: str
    run_id: str
    status: str
    counts: Mapping[str, int]
    files: tuple[FileLine, ...]
    more: int
    manifest: str
    job_id: str | None
    bill: Bill | None = None
    page: str | None = None

    @property
    def subject(self) -> str:
        """One line: `filebatch weather: 1 failed, 3 succeeded of 4 files`."""
        ended = "the run ended before its files were settled: " if self.status == "UNSETTLED" else ""
        return f"filebatch {self.feed}: {ended}{counted(self.counts)}"

    @property
    def text(self) -> str:
        """The message for people: what strangers wrote links nowhere in it, and hides nothing."""
        lines = [
            self.subject,
            "",
            *([f"page     {self.page}"] if self.page else []),
            f"run      {plain(self.run_id)}",
            f"job      {plain(self.job_id or '-')}",
            f"manifest {self.manifest}",
            *([f"billed   {self.bill.text}"] if self.bill else []),
            "",
        ]
        for file in self.files:
            rows = "" if file.rows is None else f"{file.rows} rows  "
            outcome = "  ".join(filter(None, (plain(file.error or ""), _location(file.result))))
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


def summarize(record: RunRecord, files: Sequence[FileRecord], manifest: str, bill: Bill | None = None) -> Summary:
    """Sum up a claim from its owner record and its files; what is settled counts, whoever has the files by now."""
    counts = dict(record.counts) if record.counts is not None else Counter(str(file.state) for file in files)
    worst = sorted(files, key=lambda file: _ORDER.get(file.state, -1))
    return Summary(
        record.feed,
        record.run_id,
        _status(record, counts),
        dict(counts),
        tuple(_line(file) for file in worst[:MAX_FILES]),
        max(0, len(files) - MAX_FILES),
        manifest,
        record.job,
        bill,
    )


def _status(record: RunRecord, counts: Mapping[str, int]) -> str:
    if not record.is_settled:
        return "UNSETTLED"
    return next((str(state) for state in (FileState.FAILED, FileState.INVALID) if counts.get(state)), "SUCCEEDED")


def _line(file: FileRecord) -> FileLine:
    return FileLine(
        key=file.key,
        version=file.sk,
        state=str(file.state),
        rows=file.rows,
        result=file.result,
        error=f"{file.reason.code}: {file.reason.message[:500]}" if file.reason else None,
    )


def _location(result: str | None) -> str:
    return result if result and _RESULT.fullmatch(result) else plain(result or "")
