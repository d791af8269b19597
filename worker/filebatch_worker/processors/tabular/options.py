"""What a feed says about its tables, as the readers of files use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from filebatch.core import tabular_options
from filebatch.core.options import OptionsError
from filebatch_worker.processor import ConfigurationError
from filebatch_worker.processors.tabular.column_types import ColumnType, column_type

MAX_UNCOMPRESSED_BYTES = 50 * 1024**3


@dataclass(frozen=True)
class TabularOptions:
    """The options of one feed; the defaults take any table as it comes."""

    columns: Mapping[str, ColumnType] = field(default_factory=dict)
    extra_columns: str = "keep"
    required: tuple[str, ...] = ()
    allow_empty: bool = True
    max_bad_rows: int = 0
    max_uncompressed_bytes: int = MAX_UNCOMPRESSED_BYTES
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    header: bool | None = None
    decimal_separator: str = "."
    thousands_separator: str = ""
    null_values: tuple[str, ...] = ()
    escape: str | None = None
    skip_rows: int = 0
    skip_footer: int = 0
    comment: str = ""
    trailer: str = ""
    quoted_empty: str = "text"
    short_rows: str = "error"
    member: str = ""
    members: str = "one"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that the feed speaks of."""
        return tuple(dict.fromkeys((*self.columns, *self.required)))


def parse_options(options: Mapping[str, Any]) -> TabularOptions:
    """Return the options as written in a feed's YAML, checked. Raises ConfigurationError naming all that is wrong."""
    try:
        values = tabular_options.parse(options)
    except OptionsError as error:
        raise ConfigurationError("\n".join(f"tabular: option {problem}" for problem in error.problems)) from error
    columns = {name: column_type(declared) for name, declared in values.get("columns", {}).items()}
    return TabularOptions(**{**values, "columns": columns})


# Feeds are checked by the one, containers work by the other.
assert set(tabular_options.PARSERS) == {each.name for each in fields(TabularOptions)}, (  # noqa: S101
    "tabular_options.PARSERS and TabularOptions have to name the same options"
)
