"""The built-in processor for tables: CSV and its kin, NDJSON, JSON arrays and Parquet, plain or compressed.

A file becomes one typed `data.parquet` and a `profile.json`; rows that were left out, where the feed allows any, are
listed in `rejects.json`. How a file travels:

    unpack ─▶ formats ─▶ text ─▶ csv_file | json_file ─┐
                     └─▶ parquet_file ─────────────────┴▶ judge ─▶ write ─▶ profile

A file of CSV or JSON is written in the pass that checks every value against a guess from its first rows (`at_once`,
`json_at_once`). Where a value speaks against the guess, and in Parquet, the reader passes over the whole file to find
every column's type and every bad row (`measure`, `classify`) before anything is written, so that a late surprise widens
a column or refuses the file, and never loses a value.
"""

from filebatch_worker.processors.tabular.pipeline import check_options, process

__all__ = ["check_options", "process"]
