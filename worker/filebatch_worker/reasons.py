"""What is told of a file that is INVALID or FAILED, and to whom.

Whatever a processor says may quote the file: the message and values of its InvalidFile, and the text of anything else
that it raises. Quarantine, which holds the file too, gets all of it. The ledger, `_result.json`, the job's log and,
from there, notifications have other readers. They get codes, places and shapes; all of it only where the feed sets
`show_values`.
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from filebatch.core import contract
from filebatch.core.contract import Reason
from filebatch.core.errors import FilebatchError
from filebatch.core.wording import MAX_NAME, plain
from filebatch_worker import processor, refusals
from filebatch_worker.calling import is_processors, place
from filebatch_worker.processor import InvalidFile, shape

PLACES = ("line", "row", "column", "byte", "bad_rows")  # of `where`, what is shown if it is a whole number

MAX_VALUES, MAX_VALUE = 20, 4000  # values of `where` that everybody is told, and bytes of JSON of one

FRAMES = "Traceback (most recent call last):\n"
_CODE = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_WITHHELD = "; its text may quote the file: only show_values shows it"


def whole(error: InvalidFile) -> Reason:
    """Return all that a processor says of an INVALID file, for quarantine."""
    return Reason(str(error.code), str(error.message), dict(error.where))


def of_invalid(error: InvalidFile, *, show_values: bool) -> Reason:
    """Return what everybody is told of an INVALID file."""
    code = error.code if _CODE.fullmatch(str(error.code)) else "invalid"
    if show_values:
        return Reason(code, plain(str(error.message)), _bounded(error.where))
    places = {name: error.where[name] for name in PLACES if isinstance(error.where.get(name), int)}
    return Reason(code, plain(error.summary or _composed(error, places)), places)


def of_failure(code: str, error: Exception, *, show_values: bool) -> Reason:
    """Return what everybody is told of a FAILED file: the taxonomy's code, and what was raised where."""
    return Reason(code, _told(refusals.cause(error), quotes=is_processors(error), show_values=show_values))


def trace(error: BaseException, *, show_values: bool) -> str:
    """Return the traceback for the job's log, what led to the exception first; of `is_plain` ones what they say."""
    parts = []
    quotes = False
    for each in _chain(error):
        quotes = quotes or is_processors(each)  # and so does all that led to what the processor raised
        lines = (
            "" if getattr(each, "is_plain", False) else f"{FRAMES}{''.join(traceback.format_tb(each.__traceback__))}"
        )
        parts.append(f"{lines}{_told(each, quotes=quotes, show_values=show_values)}")
    return "\n\nwhich led to:\n\n".join(reversed(parts))


def _bounded(where: Mapping[str, Any]) -> dict[str, Any]:
    """Return values for `_result.json`: as they are, or their shapes where one takes too much room."""
    return {
        plain(str(name), MAX_NAME): value if len(contract.encode({"": value})) <= MAX_VALUE else shape(value)
        for name, value in list(where.items())[:MAX_VALUES]
    }


def _composed(error: InvalidFile, places: dict[str, int]) -> str:
    """Return a sentence from places and shapes, for an InvalidFile that has no summary."""
    where = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in places.items())
    found = f"found {shape(error.where['found'])}" if "found" in error.where else ""
    return ": ".join(filter(None, (where, found))) or "the reason is told in quarantine"


def _told(error: BaseException, *, quotes: bool, show_values: bool) -> str:
    name, text = plain(type(error).__name__), plain(_text(error))
    own = plain(str(getattr(error, "summary", ""))) if isinstance(error, FilebatchError) else ""
    if own and not show_values:
        return f"{name}: {own}{_WITHHELD if text != own else ''}"
    if show_values or (not quotes and _is_ours(error)):
        return f"{name}: {text}" if text else f"{name}{place(error)}"
    system = f": {os.strerror(error.errno)}" if isinstance(error, OSError) and error.errno else ""
    return f"{name}{system}{place(error)}{_WITHHELD if text else ''}"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a user's own class may do anything here
        return ""


def _is_ours(error: BaseException) -> bool:
    """Tell whether the text is AWS's or ours, which quote no file; boto's checks of parameters quote those."""
    ours = (ClientError, BotoCoreError, FilebatchError, processor.ConfigurationError)
    return isinstance(error, ours) and not isinstance(error, ParamValidationError)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, what it was raised from, and so on."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
