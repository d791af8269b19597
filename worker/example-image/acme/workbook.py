"""A sheet of a workbook (xlsx, xlsb, xls, ods) as CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from filebatch_worker.processor import InvalidFile, Output, Processed, Source


def sheet(source: Source, workdir: Path, options: Mapping[str, Any]) -> Processed:
    """Write the cells of a sheet to `data.csv`: the first one's, or of the one that the option `sheet` names.

    Raises:
        InvalidFile: it isn't a workbook, has no such sheet, or that is empty.
    """
    rows = _rows(source.path, options.get("sheet"))
    if not rows:
        raise InvalidFile("empty", "expected rows in the sheet, found none")
    path = workdir / "data.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return Processed((Output("data.csv", path, rows=len(rows)),), rows=len(rows))


def _rows(path: Path, sheet: str | None) -> list[list[Any]]:
    try:
        with path.open("rb") as file, CalamineWorkbook.from_filelike(file) as book:
            name = sheet or book.sheet_names[0]
            if name not in book.sheet_names:
                raise InvalidFile("no-sheet", f"expected a sheet {name!r}, found {book.sheet_names}")
            return book.get_sheet_by_name(name).to_python()
    except CalamineError as error:
        raise InvalidFile("unreadable", str(error), summary="it isn't a workbook that can be read") from error
