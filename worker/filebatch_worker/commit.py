"""Making a result exist: outputs first, where no other attempt writes; `_result.json` last, once per generation."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from os import SEEK_END
from typing import Any

from botocore.exceptions import ClientError

from filebatch.core import aws_errors, contract, paths
from filebatch.core.contract import NO_VERSION, FileVersion, Reason, Result, Work
from filebatch.core.errors import FilebatchError, LostClaim
from filebatch.core.ledger import Ledger
from filebatch.core.parallel import side_by_side
from filebatch.core.records import FileRecord
from filebatch.core.results import read_result
from filebatch_worker import processor

SMALL = 8 * 2**20  # bytes of an output that is sent in one request, beside others


class OutputError(FilebatchError):
    """A processor's outputs can't be staged."""


def stage(s3: Any, bucket: str, prefix: str, outputs: tuple[processor.Output, ...]) -> tuple[contract.Output, ...]:
    """Upload a processor's outputs below `prefix`; return them with size and checksum.

    Raises:
        OutputError: two outputs share a name, or one would not lie below `prefix` for whoever downloads it. It is
            told by its number, as a name may come from the file.
    """
    names = [output.name for output in outputs]
    for number, name in enumerate(names, 1):
        if names.count(name) > 1 or not _is_inside(name):
            raise OutputError(f"output {number} of {len(names)}: expected a name of its own, relative and without '..'")
    small = [output for output in outputs if output.path.stat().st_size <= SMALL]
    staged = side_by_side(lambda output: _stage_one(s3, bucket, prefix, output), small)
    done = {output.name: output for output in staged}
    # A large one is sent in parts, side by side already.
    return tuple(done.get(output.name) or _stage_one(s3, bucket, prefix, output) for output in outputs)


def quarantine(s3: Any, bucket: str, feed: str, work: Work, reason: Reason, *, readable: bool = True) -> str:
    """Copy an INVALID file to its quarantine prefix, with the reason beside it; return the copy's key.

    A file that is not `readable`, or gone, leaves the reason alone. The copy has a fixed name, as the supplier's is
    untrusted text.
    """
    prefix = paths.of_generation(paths.QUARANTINE, feed, work)
    document = {"file": work.to_json()["file"], "reason": asdict(reason)}
    body = contract.encode(document)

    def tell() -> bool:
        s3.put_object(Bucket=bucket, Key=prefix + "_reason.json", Body=body, ContentType="application/json")
        return True

    copied, _ = side_by_side(lambda do: do(), [lambda: readable and _copied(s3, work.file, bucket, prefix), tell])
    return prefix + ("file" if copied else "_reason.json")


def commit(s3: Any, bucket: str, ledger: Ledger, result: Result) -> Result:
    """Write `_result.json`; return the one that counts: an earlier attempt's, if it was first.

    Raises:
        LostClaim: the file is no longer this claim's; nothing was written.
    """
    check_held(ledger, result.claim, result.work)
    return write(s3, bucket, result)


def check_held(ledger: Ledger, claim: str, work: Work) -> None:
    """Ask the ledger whether a file is still the claim's. Raises LostClaim."""
    found = ledger.get(FileRecord.at(work.file))
    if not (found and found.is_held_by(claim, work.generation)):
        raise LostClaim(f"{work.file.uri!r}: claimed by {claim}, now by {found and found.claim}")


def write(s3: Any, bucket: str, result: Result) -> Result:
    """Do as `commit`, of a file of which the ledger was asked a moment ago."""
    try:
        s3.put_object(
            Bucket=bucket,
            Key=paths.result(result.feed, result.work),
            Body=contract.encode(result.to_json()),
            ContentType="application/json",
            IfNoneMatch="*",
        )
    except ClientError as error:
        if not aws_errors.is_precondition_failed(error):
            raise
        first = read_result(s3, bucket, result.feed, result.work)
        if first is None:
            raise
        return first
    return result


def _is_inside(name: str) -> bool:
    return not {"", ".", ".."} & set(name.split("/"))


def _stage_one(s3: Any, bucket: str, prefix: str, output: processor.Output) -> contract.Output:
    key = prefix + output.name
    with output.path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
        size = content.seek(0, SEEK_END)
        content.seek(0)
        if size <= SMALL:
            s3.put_object(Bucket=bucket, Key=key, Body=content)
    if size > SMALL:
        s3.upload_file(str(output.path), bucket, key)
    return contract.Output(output.name, key, size, digest, output.rows)


def _copied(s3: Any, file: FileVersion, bucket: str, prefix: str) -> bool:
    """Copy a file below `prefix`; False where it is gone."""
    try:
        _copy(s3, file, bucket, prefix + "file")
    except ClientError as error:
        if aws_errors.is_not_there(error) or aws_errors.is_precondition_failed(error):
            return False
        raise
    return True


def _copy(s3: Any, file: FileVersion, bucket: str, key: str) -> None:
    """Copy this very version within S3, in parts where the file is large.

    Without its tags: they are the supplier's, and copying them needs permissions that nothing else needs.
    """
    source = {"Bucket": file.bucket, "Key": file.key, "VersionId": file.version_id}
    condition = {"CopySourceIfMatch": f'"{file.etag}"'} if file.version_id == NO_VERSION else {}
    more = {"TaggingDirective": "REPLACE", **condition}
    if file.size <= SMALL:  # in one request, where `copy` would ask for the size first
        s3.copy_object(CopySource=source, Bucket=bucket, Key=key, **more)
    else:
        s3.copy(source, bucket, key, ExtraArgs=more)
