"""Checking what a processor hands back, before anything of it is written: what doesn't fit is the processor's bug.

`_result.json` is read by Airflow and by others: it holds JSON values, numbers that DynamoDB and CloudWatch take, and no
more of them than its readers expect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from filebatch.core.errors import FilebatchError
from filebatch_worker.processor import InvalidFile, Output, Processed, shape

MAX_NOTES = 64 * 2**10  # bytes of JSON
MAX_OUTPUTS = 5000  # of names that S3 takes, `_result.json` stays below what its readers take
MAX_ROWS = 2**53  # the largest number that CloudWatch's doubles hold exactly


class ReturnedError(FilebatchError):
    """A processor returned, or raised an InvalidFile with, what a result can't hold."""


def check(found: Any) -> Processed:
    """Return what a processor returned, its notes as JSON values.

    Raises:
        ReturnedError: it isn't a Processed, or one of its fields is no value of the field's type, or too large.
    """
    if not isinstance(found, Processed):
        raise _wrong("what it returned", "Processed", found)
    if not isinstance(found.outputs, (tuple, list)):
        raise _wrong("outputs", "a tuple of Output", found.outputs)
    if len(found.outputs) > MAX_OUTPUTS:
        raise ReturnedError(f"the processor's outputs: expected at most {MAX_OUTPUTS}, found {len(found.outputs)}")
    for number, output in enumerate(found.outputs, 1):
        _check_output(f"output {number} of {len(found.outputs)}", output)
    _check_rows("rows", found.rows)
    return replace(found, outputs=tuple(found.outputs), notes=_notes(found.notes))


def check_invalid(error: InvalidFile) -> InvalidFile:
    """Return an InvalidFile of which each part is what it says; ReturnedError for another."""
    for name in ("code", "message", "summary"):
        value = getattr(error, name)
        if not isinstance(value, str):
            raise _wrong(f"{name} of InvalidFile", "text", value) from error
    _as_json("the values of InvalidFile", error.where)
    return error


def _check_output(where: str, output: Any) -> None:
    if not isinstance(output, Output):
        raise _wrong(where, "Output", output)
    if not isinstance(output.name, str):
        raise _wrong(f"name of {where}", "text", output.name)
    if not isinstance(output.path, Path):
        raise _wrong(f"path of {where}", "a Path", output.path)
    _check_rows(f"rows of {where}", output.rows)


def _check_rows(where: str, rows: Any) -> None:
    if rows is None:
        return
    if type(rows) is not int:
        raise _wrong(where, "a whole number or None", rows)
    if not 0 <= rows <= MAX_ROWS:
        raise ReturnedError(f"the processor's {where}: expected 0 to 2^53, found a number outside of that")


def _notes(notes: Any) -> Mapping[str, Any]:
    if not isinstance(notes, Mapping):
        raise _wrong("notes", "a mapping", notes)
    written = _as_json("notes", dict(notes))
    if len(written) > MAX_NOTES:
        raise ReturnedError(f"the processor's notes: expected at most {MAX_NOTES} bytes of JSON, found {len(written)}")
    found: Mapping[str, Any] = json.loads(written)
    return found


def _as_json(where: str, value: Any) -> str:
    """Write a value as JSON; ReturnedError where it isn't one. The error's own text may quote the value."""
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        problem = type(error).__name__
        raise ReturnedError(f"the processor's {where}: expected JSON values, found others ({problem})") from None


def _wrong(where: str, expected: str, found: Any) -> ReturnedError:
    kind = f" ({type(found).__name__})" if shape(found) == "a value" else ""
    return ReturnedError(f"the processor's {where}: expected {expected}, found {shape(found)}{kind}")
