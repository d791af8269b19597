"""What crosses the boundary between Airflow and the worker: files, units and results, as versioned JSON.

Nothing but the standard library is imported here, as both sides and the container share it. The golden documents in
tests/golden hold both sides to it. A unit of this version or the previous one is read, and a result of every version
there was; another fails loudly. Results have a version of their own: a field more of theirs is no reason for a worker
to refuse units.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from filebatch.core.errors import ContractError, ContractVersionError

FIRST = 1
VERSION = 1  # of units and plans
RESULT_VERSION = 2

# What makes of a document of this version one of the next. Workers and Airflow are updated one after the other, so that
# units and plans of the previous version are read; results are data, and always are.
Upgrades = dict[int, Callable[[Mapping[str, Any]], Mapping[str, Any]]]
UPGRADES: Upgrades = {}
RESULT_UPGRADES: Upgrades = {1: lambda result: {**result, "used": None}}

# Characters of a reason in the ledger, whose items have room for 400 kB in all.
MAX_CODE, MAX_MESSAGE = 100, 2000

# Files of a unit that a worker has in flight at the same time: one is processed, those before it are uploaded and
# committed. Any of them may be what its container died of, so it is also the number of suspects; and as many are
# fetched ahead.
IN_FLIGHT = 4

# S3's id of a version that was written while its bucket kept no versions.
NO_VERSION = "null"


@dataclass(frozen=True)
class FileVersion:
    """One version of one object: what is processed exactly once.

    Attributes:
        bucket: bucket name.
        key: the key as S3 has it, any text.
        version_id: S3's version id, NO_VERSION where the bucket kept no versions when the file came.
        etag: entity tag without quotes.
        size: bytes.
        last_modified: ISO 8601, UTC.
    """

    bucket: str
    key: str
    version_id: str
    etag: str
    size: int
    last_modified: str

    @property
    def uri(self) -> str:
        """`s3://bucket/key`, for people and as the ledger's partition key."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def version(self) -> str:
        """What tells this version from others of its key; of those without a version id only the ETag does."""
        return self.version_id if self.version_id != NO_VERSION else f"{NO_VERSION}:{self.etag}"

    @property
    def address(self) -> dict[str, str]:
        """The arguments that name this very version to GetObject and HeadObject.

        A bucket that keeps no versions, or didn't when the file came, has it as version "null", which can be read by
        that name even when others lie over it. What may replace a null version is another null version: the ETag tells
        them apart. https://docs.aws.amazon.com/AmazonS3/latest/userguide/AddingObjectstoVersionSuspendedBuckets.html
        """
        named = {"Bucket": self.bucket, "Key": self.key, "VersionId": self.version_id}
        return named if self.version_id != NO_VERSION else {**named, "IfMatch": f'"{self.etag}"'}

    @property
    def identity(self) -> str:
        """64 hex digits that no other file version has."""
        written = json.dumps([self.bucket, self.key, self.version])
        return hashlib.sha256(written.encode()).hexdigest()


@dataclass(frozen=True)
class Work:
    """A file version to be processed, and which time this is.

    Attributes:
        file: the file version.
        file_time: the time the file is about, ISO 8601: the date in its key, else its LastModified.
        generation: 1 for the first processing, one more for each time it is done again on purpose.
        attempt: how often this generation was claimed, this time included.
    """

    file: FileVersion
    file_time: str
    generation: int = 1
    attempt: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read it back; ContractError where it doesn't fit."""
        values = _fitting("a file", cls, document)
        return cls(**{**values, "file": FileVersion(**_fitting("a file version", FileVersion, values["file"]))})


@dataclass(frozen=True)
class Unit:
    """What one child of the array job does: some files of one claim, and all it needs to know about them.

    Attributes:
        feed: feed name.
        claim: the claim's token; the files are the worker's as long as the ledger says the same.
        run_id: Airflow's run, for people.
        round: which job of the claim this is, from 1.
        index: which unit of the round, from 0; also the child's array index.
        processor: name of the processor.
        options: the processor's options.
        max_attempts: how often a file may be claimed in a generation.
        show_values: whether notifications, logs and the ledger may quote the files.
        files: the files, in the order in which they are done.
    """

    feed: str
    claim: str
    run_id: str
    round: int
    index: int
    processor: str
    options: Mapping[str, Any]
    max_attempts: int
    show_values: bool
    files: tuple[Work, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, with the contract's version."""
        return {"contract": VERSION, **_shallow(self), "files": [work.to_json() for work in self.files]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read it back; ContractError where version or fields don't fit."""
        values = _fitting("unit", cls, readable("unit", document))
        return cls(**{**values, "files": tuple(Work.from_json(work) for work in _listed("unit", values["files"]))})


@dataclass(frozen=True)
class Output:
    """One object of a result: its name there, its full key, size in bytes, SHA-256 and rows (if it has rows)."""

    name: str
    key: str
    size: int
    sha256: str
    rows: int | None = None


@dataclass(frozen=True)
class Reason:
    """Why a file is INVALID or FAILED: a code of the processor or the taxonomy, a sentence, and where in the file.

    It quotes the file only in quarantine, or where the feed sets `show_values`.
    """

    code: str
    message: str
    where: Mapping[str, Any] = field(default_factory=dict)

    def bounded(self) -> Reason:
        """Return code and message, cut to what an item of the ledger has room for: they may quote a whole file."""
        cut = self.message if len(self.message) <= MAX_MESSAGE else self.message[: MAX_MESSAGE - 1] + "…"
        return Reason(self.code[:MAX_CODE], cut)


@dataclass(frozen=True)
class Result:
    """`_result.json`: written last and once per generation; a result without it does not exist.

    Attributes:
        feed: feed name.
        state: SUCCEEDED or INVALID.
        work: the file version, its time and generation.
        claim: token of the claim under which it was done.
        run_id: Airflow's run.
        job_id: Batch's id of the job or child.
        outputs: the result's objects; none for an INVALID file.
        rows: rows read, where the processor counts them.
        reason: why it is INVALID.
        quarantine: key of the quarantined copy, in the results bucket.
        notes: small facts of the processor.
        timings: seconds of fetch, process and upload.
        used: `vcpu_seconds` and `gib_seconds` of the container while it was at this file; None where nobody knows.
        worker: version of the worker.
        started_at: ISO 8601.
        committed_at: ISO 8601.
    """

    feed: str
    state: str
    work: Work
    claim: str
    run_id: str
    job_id: str
    outputs: tuple[Output, ...]
    rows: int | None
    reason: Reason | None
    quarantine: str | None
    notes: Mapping[str, Any]
    timings: Mapping[str, float]
    used: Mapping[str, float] | None
    worker: str
    started_at: str
    committed_at: str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, with the contract's version."""
        return {"contract": RESULT_VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read it back; ContractError where version or fields don't fit."""
        values = _fitting(
            "result", cls, _readable("result", document, range(FIRST, RESULT_VERSION + 1), RESULT_UPGRADES)
        )
        nested = {
            "work": Work.from_json(values["work"]),
            "outputs": tuple(
                Output(**_fitting("an output", Output, output)) for output in _listed("result", values["outputs"])
            ),
            "reason": Reason(**_fitting("a reason", Reason, values["reason"])) if values["reason"] else None,
        }
        return cls(**{**values, **nested})


def encode(document: Mapping[str, Any]) -> bytes:
    """Write a document as JSON; ASCII only, so that no key can break a line or an encoding."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def decode(what: str, written: bytes) -> Any:
    """Read what `encode` wrote; ContractError where it is no JSON."""
    try:
        return json.loads(written)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{what}: expected JSON, found {written[:100]!r}") from error


def _shallow(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}


def readable(what: str, document: Any) -> Mapping[str, Any]:
    """Return a unit or plan as this version has it, written by this one or the previous.

    Args:
        what: what it is, for the message.
        document: JSON values with the field `contract`.

    Raises:
        ContractVersionError: it is of no such version.
    """
    return _readable(what, document, range(max(FIRST, VERSION - 1), VERSION + 1), UPGRADES)


def _readable(what: str, document: Any, versions: range, upgrades: Upgrades) -> Mapping[str, Any]:
    found = document.get("contract") if isinstance(document, Mapping) else document
    if type(found) is not int or found not in versions:
        told = f"a contract from {versions[0]} to {versions[-1]}" if len(versions) > 1 else f"contract {versions[0]}"
        raise ContractVersionError(f"{what}: expected {told}, found {found!r}; deploy image and DAGs together")
    values: Mapping[str, Any] = {name: value for name, value in document.items() if name != "contract"}
    for version in range(found, versions[-1]):
        values = upgrades[version](values)
    return values


def _fitting(what: str, cls: Any, values: Any) -> dict[str, Any]:
    """Return values that are exactly the fields of `cls`: a default must not hide what got lost on the way."""
    if not isinstance(values, Mapping):
        raise ContractError(f"{what}: expected the fields of the contract, found {values!r}")
    odd = sorted(values.keys() ^ {each.name for each in fields(cls)})
    if odd:
        raise ContractError(f"{what}: expected the fields of the contract, missing or unknown: {', '.join(odd)}")
    return dict(values)


def _listed(what: str, values: Any) -> Sequence[Any]:
    if not isinstance(values, (list, tuple)):
        raise ContractError(f"{what}: expected a list, found {values!r}")
    return values
