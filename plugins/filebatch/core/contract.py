"""What crosses the boundary between Airflow and the worker: files, units and results, as versioned JSON.

Nothing but the standard library is imported here, as both sides and the container share it. The golden documents in
tests/golden hold both sides to it. A document of another version fails loudly: the image and the DAGs of a
deployment belong together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from filebatch.core.errors import ContractError

VERSION = 1

# One line of a round's index: byte offset and length of a unit, so that a child fetches its own unit and no more.
INDEX_LINE = 24

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
        values = _checked("unit", cls, document)
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
    worker: str
    started_at: str
    committed_at: str

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, with the contract's version."""
        return {"contract": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read it back; ContractError where version or fields don't fit."""
        values = _checked("result", cls, document)
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


def encode_round(units: Sequence[Unit]) -> bytes:
    """Write a round's units: an index of fixed-width lines, then a line of JSON for each unit."""
    lines = [encode(unit.to_json()) + b"\n" for unit in units]
    offset = INDEX_LINE * len(lines)
    index = []
    for line in lines:
        index.append(f"{offset:012d} {len(line):010d}\n".encode())
        offset += len(line)
    return b"".join(index + lines)


def index_range(index: int) -> tuple[int, int]:
    """Return first and last byte of unit `index`'s line in the round's index."""
    return INDEX_LINE * index, INDEX_LINE * (index + 1) - 1


def unit_range(line: bytes) -> tuple[int, int]:
    """Return first and last byte of the unit that an index line points to; ContractError if it isn't one."""
    try:
        offset, length = (int(number) for number in line.split())
    except ValueError as error:
        raise ContractError(f"a round's index: expected an offset and a length, found {line!r}") from error
    return offset, offset + length - 1


def decode_unit(line: bytes) -> Unit:
    """Read one unit's line; ContractError where it isn't one."""
    return Unit.from_json(decode("unit", line))


def decode_round(document: bytes) -> list[Unit]:
    """Read all units of a round."""
    if not document:
        return []
    first, _ = unit_range(document[:INDEX_LINE])
    return [decode_unit(line) for line in document[first:].splitlines()]


def _shallow(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}


def _checked(what: str, cls: Any, document: Mapping[str, Any]) -> dict[str, Any]:
    found = document.get("contract") if isinstance(document, Mapping) else document
    if found != VERSION:
        raise ContractError(f"{what}: expected contract {VERSION}, found {found!r}; deploy image and DAGs together")
    return _fitting(what, cls, {name: value for name, value in document.items() if name != "contract"})


def _fitting(what: str, cls: Any, values: Any) -> dict[str, Any]:
    """Return values that are exactly the fields of `cls`: a default must not hide what got lost on the way."""
    if not isinstance(values, Mapping):
        raise ContractError(f"{what}: expected the fields of contract {VERSION}, found {values!r}")
    odd = sorted(values.keys() ^ {each.name for each in fields(cls)})
    if odd:
        raise ContractError(f"{what}: expected the fields of contract {VERSION}, missing or unknown: {', '.join(odd)}")
    return dict(values)


def _listed(what: str, values: Any) -> Sequence[Any]:
    if not isinstance(values, (list, tuple)):
        raise ContractError(f"{what}: expected a list, found {values!r}")
    return values
