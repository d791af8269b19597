"""The big file of benchmarks: eight columns of mixed types, as CSV or NDJSON."""

from __future__ import annotations

from pathlib import Path

import duckdb

ROW_BYTES = 114  # of a row in CSV, about
# Where types are found, a column of two decimals is a float to both.
ROWS = """SELECT 1000000 + i AS id, 'Name ' || (hash(i) % 5000) || ', Inc' AS name,
  (hash(i + 1) % 1000000) / 1000 AS price, CAST((hash(i + 2) % 10000000) / 100 AS DECIMAL(12,2)) AS amount,
  DATE '2015-01-01' + CAST(hash(i + 3) % 4000 AS INTEGER) AS day,
  TIMESTAMP '2020-01-01' + to_seconds(CAST(hash(i + 4) % 100000000 AS BIGINT)) AS at, hash(i + 5) % 2 = 0 AS active,
  CASE WHEN hash(i + 6) % 10 = 0 THEN NULL ELSE 'order ' || hash(i + 7) || ' says "ok"' END AS note
FROM range({rows}) t(i)"""


def make_csv(path: Path, size: int) -> None:
    """Write a CSV of about `size` bytes to `path`."""
    duckdb.execute(f"COPY ({ROWS.format(rows=size // ROW_BYTES)}) TO '{path}' (HEADER)")


def make_lines(path: Path, size: int) -> None:
    """Write half the rows of a CSV of about `size` bytes to `path`, as NDJSON."""
    duckdb.execute(f"COPY ({ROWS.format(rows=size // ROW_BYTES // 2)}) TO '{path}' (FORMAT json)")
