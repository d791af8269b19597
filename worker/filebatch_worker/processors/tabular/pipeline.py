"""The way of one file through the tabular processor."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filebatch_worker.processor import Output, Processed, Source
from filebatch_worker.processors.tabular import formats
from filebatch_worker.processors.tabular.csv_file import read_csv
from filebatch_worker.processors.tabular.engine import engine, reading
from filebatch_worker.processors.tabular.json_file import read_json
from filebatch_worker.processors.tabular.judge import Verdict, judge
from filebatch_worker.processors.tabular.options import TabularOptions, parse_options
from filebatch_worker.processors.tabular.parquet_file import read_parquet
from filebatch_worker.processors.tabular.profile import profile
from filebatch_worker.processors.tabular.table import Table
from filebatch_worker.processors.tabular.text import read_as_utf8
from filebatch_worker.processors.tabular.unpack import Unpacked, named, unpack, unpack_each
from filebatch_worker.processors.tabular.write import write_parquet

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


DATA = "data.parquet"


def process(source: Source, workdir: Path, options: Mapping[str, Any]) -> Processed:
    """Turn the table in `source` into `data.parquet` and `profile.json` below `workdir`.

    Raises InvalidFile where the file is no such table, ConfigurationError for options it doesn't know, MemoryError
    where the engine's share of memory doesn't suffice.
    """
    known = parse_options(options)
    workdir.mkdir(parents=True, exist_ok=True)
    with engine() as (connection, scratch), reading(scratch):
        if known.members == "all":
            return _process_each(connection, source, scratch, workdir, known)
        unpacked = unpack(source, scratch, known.max_uncompressed_bytes, known.member)
        return _process_one(connection, unpacked, workdir, known)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that the processor doesn't know. Raises ConfigurationError."""
    parse_options(options)


process.check_options = check_options  # type: ignore[attr-defined]  # where the worker looks for it


def _process_one(
    connection: DuckDBPyConnection, unpacked: Unpacked, workdir: Path, options: TabularOptions, **facts: str
) -> Processed:
    """Return the result of one table; `facts` are what its profile says besides."""
    table = _read(connection, unpacked, unpacked.path.with_name(DATA), options)
    verdict = judge(connection, table, options)
    return _write(connection, table, verdict, unpacked, workdir, facts)


def _process_each(
    connection: DuckDBPyConnection, source: Source, scratch: Path, workdir: Path, options: TabularOptions
) -> Processed:
    """Return the results of all files of a zip, or of the one that is none: a folder for each, named by its number.

    Where one is at fault, all are, as they are one file to its supplier.
    """
    results: list[Processed] = []
    packed = unpack_each(source, scratch / "member", options.max_uncompressed_bytes, options.member)
    for number, unpacked in enumerate(packed, 1):
        folder = workdir / str(number)
        folder.mkdir()
        is_member = unpacked.compression == "zip"
        with named(number) if is_member else nullcontext():
            facts = {"member": unpacked.name} if is_member else {}
            results.append(_process_one(connection, unpacked, folder, options, **facts))
    return _joined(results)


def _joined(results: Sequence[Processed]) -> Processed:
    outputs = (
        replace(output, name=f"{number}/{output.name}")
        for number, result in enumerate(results, 1)
        for output in result.outputs
    )
    written, bad = (sum(result.notes[name] for result in results) for name in ("rows_written", "bad_rows"))
    form = "zip" if len(results) > 1 else results[0].notes["format"]
    notes = {"format": form, "tables": len(results), "bad_rows": bad, "rows_written": written}
    return Processed(tuple(outputs), sum(result.rows or 0 for result in results), notes)


def _read(connection: DuckDBPyConnection, unpacked: Unpacked, target: Path, options: TabularOptions) -> Table:
    with unpacked.path.open("rb") as file:
        head = file.read(formats.HEAD)
    if formats.format_of(unpacked.name, head) == "parquet":
        return read_parquet(connection, unpacked.path, options)
    text = read_as_utf8(unpacked.path, unpacked.path.parent, options.encoding)
    with text.path.open(encoding="utf-8", newline="") as file:
        start = file.read(formats.HEAD)
    found = formats.text_format_of(unpacked.name, start)
    if found == "csv":
        return read_csv(connection, text, target, options, tabs=formats.says_tabs(unpacked.name))
    return read_json(connection, text, target, options, form=found)


def _write(
    connection: DuckDBPyConnection,
    table: Table,
    verdict: Verdict,
    unpacked: Unpacked,
    workdir: Path,
    told: Mapping[str, str],
) -> Processed:
    path = unpacked.path.with_name(DATA)
    written = write_parquet(connection, table, verdict, path)
    facts = {**table.facts, "compression": unpacked.compression, "bad_rows": len(verdict.bad)}
    described = profile(connection, path, written, table.measured.columns, {**told, **facts})
    outputs = [
        Output(DATA, Path(shutil.move(path, workdir / DATA)), written.rows),
        Output("profile.json", _write_json(workdir / "profile.json", described)),
    ]
    if verdict.bad:
        rejects = [row.to_json() for row in verdict.bad]
        outputs.append(Output("rejects.json", _write_json(workdir / "rejects.json", rejects), len(rejects)))
    notes = {**facts, "columns": len(table.measured.columns), "rows_written": written.rows}
    return Processed(tuple(outputs), rows=written.rows + len(verdict.bad), notes=notes)


def _write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path
