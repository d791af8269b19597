"""A column as it stands in a file, before its type is known."""

from __future__ import annotations

from dataclasses import dataclass

from filebatch_worker.processors.tabular.column_types import ColumnType


@dataclass(frozen=True)
class Column:
    """A column as it stands in the file.

    `text` is SQL for its values as text, `kind` SQL for the class of one value (see `classify`). A column that has a
    type already, as in Parquet, has `native` (SQL for the typed value and the type's label) and no `kind`.
    """

    name: str
    source_name: str
    text: str
    kind: str | None = None
    number_text: str | None = None  # `text` with a decimal point, where it differs
    nested_text: str | None = None  # `text` that keeps the quotes of JSON strings beside objects and arrays
    native: tuple[str, ColumnType] | None = None

    def text_for(self, column_type: ColumnType) -> str:
        """Return the SQL text that `column_type` parses."""
        return self.number_text if self.number_text and column_type.is_number else self.text
