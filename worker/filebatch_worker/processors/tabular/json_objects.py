"""JSON objects as the engine reads them: their keys, and a relation with a column for each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filebatch_worker.processors.tabular.column import Column
from filebatch_worker.processors.tabular.column_types import identifier, literal
from filebatch_worker.processors.tabular.faults import invalid
from filebatch_worker.processors.tabular.json_numbers import unmarked, unmarked_json
from filebatch_worker.processors.tabular.measure import Relation
from filebatch_worker.processors.tabular.naming import MAX_COLUMNS, column_names
from filebatch_worker.processors.tabular.options import TabularOptions

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class JsonFile:
    """A file of JSON values; `form` is how they lie: "ndjson", "objects" or "json", as in formats."""

    path: Path
    form: str

    @property
    def by_line(self) -> bool:
        """Whether a value is a line."""
        return self.form == "ndjson"

    def values(self, *, tolerant: bool = True) -> str:
        """Return SQL for one row per value, whose text is `json`. A line that is no JSON is a NULL if `tolerant`."""
        form = {"ndjson": "newline_delimited", "objects": "unstructured", "json": "array"}[self.form]
        tolerance = ", ignore_errors=true" if self.by_line and tolerant else ""
        return f"read_json_objects(?, format='{form}', compression='none'{tolerance})"

    def rows(self, connection: DuckDBPyConnection, keys: Sequence[str]) -> Relation:
        """Return the table of the objects of the file."""
        objects = f"(SELECT json FROM {self.values()} WHERE json_type(json) = 'OBJECT')"  # noqa: S608 - no text of the file

        def sql_of(columns: Sequence[Column]) -> str:
            return rows_of(objects, keys, only={column.source_name for column in columns})

        return Relation(connection, rows_of(objects, keys), (str(self.path),), sql_of)


def keys_of(values: Relation) -> list[str]:
    """Return the keys of all objects among `values`, by their first appearance.

    What is found is kept in the table `key_lists`: each list of `keys` (NULL for what is no object), how many `objects`
    have it, the `first` of them. Raises InvalidFile: "duplicate-key", "too-many-columns", "nul-byte".
    """
    values.all(
        "CREATE OR REPLACE TEMP TABLE key_lists AS SELECT keys, min(row) AS first, count(*) AS objects FROM ("  # noqa: S608 - no text of the file
        "SELECT CASE WHEN json_type(json) = 'OBJECT' THEN json_keys(json) END AS keys, row_number() OVER () AS row "
        f"FROM {values.sql}) GROUP BY keys"
    )
    _refuse_repeated(values.connection)
    found = values.connection.execute(
        "SELECT key FROM (SELECT first, unnest(keys) AS key, generate_subscripts(keys, 1) AS place FROM key_lists) "  # noqa: S608
        f"GROUP BY key ORDER BY min(first * 1000000 + place) LIMIT {MAX_COLUMNS + 1}"
    ).fetchall()
    keys = [key for (key,) in found]
    if len(keys) > MAX_COLUMNS:
        raise invalid("too-many-columns", f"more than {MAX_COLUMNS} different keys", expected=MAX_COLUMNS)
    if any("\0" in key for key in keys):
        raise invalid("nul-byte", "a key holds a NUL character")
    return keys


def _refuse_repeated(connection: DuckDBPyConnection) -> None:
    found = connection.execute(
        "SELECT first, keys FROM key_lists WHERE len(keys) <> len(list_distinct(keys)) ORDER BY first LIMIT 1"
    ).fetchone()
    if found:
        row, keys = found
        key = Counter(keys).most_common(1)[0][0]
        raise invalid("duplicate-key", f"object {row} holds a key twice", repr(key), row=row, column=key)


def rows_of(
    objects: str, keys: Sequence[str], types: Mapping[str, str] | None = None, only: Collection[str] | None = None
) -> str:
    """Return SQL for one row for each of SQL `objects`, with a column f0, f1 … for the value of each key.

    The columns are JSON, or what `types` say of their keys; `json` is the text of the whole object. Those of other keys
    than `only` are left out: a struct has all of its fields, whoever asks for them.

    Each is a column of its own before anything else is done with it: whatever the engine does to one field of a struct
    under a condition, it does to all of its fields.
    """
    fields = [key for key in distinct(keys) if only is None or key in only]
    structure = {key: (types or {}).get(key, "JSON") for key in fields}
    described = literal(json.dumps(structure, ensure_ascii=False))
    transformed = f"json_transform(json, {described})" if fields else "NULL"
    columns = "".join(
        f", {f'fields.{identifier(key)}' if key in structure else _extract(key)} AS f{at}"
        for at, key in enumerate(keys)
        if only is None or key in only
    )
    return f"(SELECT json{columns} FROM (SELECT json, {transformed} AS fields FROM {objects}))"  # noqa: S608


def distinct(keys: Sequence[str]) -> list[str]:
    """Return the keys that the engine's structs can have as fields: not empty, and different in more than case."""
    folded = Counter(key.casefold() for key in keys)
    return [key for key in keys if key and folded[key.casefold()] == 1]


def columns_of(keys: Sequence[str], options: TabularOptions, marks: str = "") -> Iterator[Column]:
    """Yield the columns of `rows_of`; `marks` are those of the file's numbers."""
    for at, (key, name) in enumerate(zip(keys, column_names(keys, options.names), strict=True)):
        yield Column(
            name=name,
            source_name=key,
            text=unmarked(f"(f{at}->>'$')", marks),
            classifier="json_kind",
            json=unmarked_json(f"CAST(f{at} AS VARCHAR)", marks[1:]),
            stored_json=unmarked_json(f"CAST(f{at} AS VARCHAR)", marks),
        )


def _extract(key: str) -> str:
    """Return SQL for the value of `key` where it can't be a field; as with fields, its null is SQL's."""
    pointer = literal("/" + key.replace("~", "~0").replace("/", "~1"))
    return f"(CASE WHEN json_type(json, {pointer}) <> 'NULL' THEN json_extract(json, {pointer}) END)"
