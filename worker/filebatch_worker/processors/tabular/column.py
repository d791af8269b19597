"""A column as it stands in a file, before its type is known."""

from __future__ import annotations

from dataclasses import dataclass

from filebatch_worker.processors.tabular.column_types import ColumnType, trimmed


@dataclass(frozen=True)
class Column:
    """A column as it stands in the file.

    `text` is SQL for its values as text. A column whose type is to be found has a `classifier`, the macro that tells
    the class of a value (see `classify`); one that has a type already, as in Parquet, has `native` (SQL for the typed
    value, and the type).
    """

    name: str
    source_name: str
    text: str
    classifier: str | None = None
    ungrouped: str | None = None  # `text` without separators of thousands, where there may be any
    number_text: str | None = None  # `text` without those and with a decimal point, where it differs
    json: str | None = None  # the text of the JSON value, in a file of JSON
    stored_json: str | None = None  # the same as it is stored, where it differs
    native: tuple[str, ColumnType] | None = None

    @property
    def classified(self) -> str:
        """SQL for what the classifier is given."""
        return self.json or trimmed(self.ungrouped or self.text)

    def text_for(self, column_type: ColumnType) -> str:
        """Return the SQL text that `column_type` parses."""
        return self.number_text if self.number_text and column_type.is_number else self.text
