"""The outputs of a file's result as its item of the ledger has them, so that nobody has to read the result for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from filebatch.core import paths
from filebatch.core.contract import Output, Result

if TYPE_CHECKING:
    from filebatch.core.records import FileRecord

MOST, MAX_TEXT = 8, 250  # outputs of an item, and characters of where one is; a result with more is read itself
_KINDS: Mapping[str, type] = {"name": str, "at": str, "size": int}


def told(result: Result) -> list[dict[str, Any]] | None:
    """Return a result's outputs as an item keeps them; None where they are too many or too long, or lie elsewhere."""
    own = paths.of_generation(paths.RESULTS, result.feed, result.work)
    fits = len(result.outputs) <= MOST and all(_fits(each, own) for each in result.outputs)
    return [_written(each, own) for each in result.outputs] if fits else None


def of(file: FileRecord) -> Sequence[Output]:
    """Return the outputs that an item tells of its generation, without their checksums, which the result has.

    What is none is left out: any worker of the feed may have written it.
    """
    return list(_read(paths.of_generation(paths.RESULTS, file.feed, file.work), file.outputs or ()))


def _fits(output: Output, own: str) -> bool:
    return output.key.startswith(own) and len(output.key) - len(own) <= MAX_TEXT and len(output.name) <= MAX_TEXT


def _written(output: Output, own: str) -> dict[str, Any]:
    rows = {} if output.rows is None else {"rows": output.rows}
    return {"name": output.name, "at": output.key.removeprefix(own), "size": output.size, **rows}


def _read(own: str, written: Sequence[Any]) -> Iterator[Output]:
    for each in written:
        if isinstance(each, Mapping) and all(type(each.get(name)) is kind for name, kind in _KINDS.items()):
            rows = each.get("rows")
            yield Output(each["name"], own + each["at"], each["size"], "", rows if type(rows) is int else None)
