"""What a processor is: the one module that a user's own processor needs to import.

A processor is called once per file with the fetched file, an empty directory to work in and the feed's options. It
writes its outputs below that directory and names them; fetching, staging and committing are the worker's business.

    def count_lines(source: Source, workdir: Path, options: Mapping[str, Any]) -> Processed:
        ...

    feed.yaml:   processor: acme.lines:count_lines

How it ends decides what happens to the file:

    returns Processed        the outputs become the file's result
    raises InvalidFile       the supplier's fault: quarantined with the reason, never tried again
    raises TransientError    nobody's fault: tried again later
    raises MemoryError       tried again, with more memory where the feed allows it
    raises anything else     our fault: the file has failed, and is tried again up to the feed's `max_attempts`

It depends on nothing but the standard library.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

BUILT_IN = {
    "tabular": "filebatch_worker.processors.tabular:process",
    "command": "filebatch_worker.processors.command:process",
}


@dataclass(frozen=True)
class Source:
    """A fetched file. `name` is the last element of the S3 key as its supplier wrote it: untrusted text.

    `content_encoding` is what its supplier set as `Content-Encoding`: "gzip" says that the bytes are compressed, and
    the name is that of what is within. S3 stores and returns both as they are.
    """

    path: Path
    name: str
    size: int  # bytes
    content_encoding: str = ""


@dataclass(frozen=True)
class Output:
    """One file of a result: `name` within the result (it may hold "/") and where the processor wrote it."""

    name: str
    path: Path
    rows: int | None = None


@dataclass(frozen=True)
class Processed:
    """What a processor made of a file: its outputs, the rows read and small JSON facts for `_result.json`."""

    outputs: tuple[Output, ...]
    rows: int | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


class InvalidFile(Exception):  # noqa: N818 - it names what is wrong with the file, not with the program
    """The file is at fault and no retry helps.

    `code` is short kebab-case ("empty", "truncated", "type-mismatch"), `message` is for the supplier to read, `where`
    holds JSON values that locate the fault: line, column, expected, found. Entries that are None are left out.

    Message and `where` may quote the file, so they stay in quarantine unless the feed sets `show_values`. `summary` is
    for notifications, logs and the ledger: a sentence that quotes nothing of the file. Without one it is made of the
    whole numbers among line, row, column, byte and bad_rows, and of the shape of `found`.
    """

    def __init__(self, code: str, message: str, *, summary: str = "", **where: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.summary = summary
        self.where: dict[str, Any] = {key: value for key, value in where.items() if value is not None}


class TransientError(Exception):
    """The file could not be processed now; later it may."""


class ConfigurationError(Exception):
    """The feed's processor or its options are wrong: no file of the feed can be processed until that is fixed."""


class Processor(Protocol):
    """A callable that turns one file into outputs; see the module's text for how it may end."""

    def __call__(self, source: Source, workdir: Path, options: Mapping[str, Any]) -> Processed:
        """Process `source`, writing only below `workdir`."""
        ...


def shape(value: Any) -> str:
    """Return what a value looks like without showing it: `text of 24 characters`, `a number`, `nothing`."""
    match value:
        case None | "":
            return "nothing"
        case str():
            return f"text of {len(value)} character{'s' if len(value) > 1 else ''}"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list() | tuple():
            return f"a list of {len(value)}"
        case _:
            return "a value"


def load_processor(name: str) -> Processor:
    """Return the processor called `name`: one of BUILT_IN, or a user's own ("package.module:function").

    Raises ConfigurationError where there is no such processor.
    """
    target = BUILT_IN.get(name, name)
    module_name, separator, attribute = target.partition(":")
    if not (separator and module_name and attribute):
        known = ", ".join(sorted(BUILT_IN))
        raise ConfigurationError(f'processor {name!r}: expected "package.module:function" or one of: {known}')
    found = getattr(_import(name, module_name), attribute, None)
    if not callable(found):
        raise ConfigurationError(f"processor {name!r}: module {module_name} has no function {attribute!r}")
    return cast("Processor", found)


def check_options(processor: Processor, options: Mapping[str, Any]) -> None:
    """Refuse options that `processor` would not understand, before its first file. Raises ConfigurationError.

    A processor says what it understands with an attribute `check_options`, a function of the options that raises
    ConfigurationError; one without it takes any options.
    """
    check = cast("Callable[[Mapping[str, Any]], None] | None", getattr(processor, "check_options", None))
    if check is not None:
        check(options)


def _import(name: str, module_name: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigurationError(f"processor {name!r}: cannot import {module_name}: {error}") from error
