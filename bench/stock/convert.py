"""The same conversion without any guarantee: a file from S3 through DuckDB's own reader into Parquet, and back.

`KEY` in the environment: this one file, as the job of a stock pipeline does it. `PREFIX`: all files below it, one after
the other, with what filebatch writes of each: three objects and three writes to a table.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import boto3
import duckdb


def main() -> None:
    """Convert what the environment names."""
    s3, bucket, results = boto3.client("s3"), os.environ["STOCK_BUCKET"], os.environ["STOCK_RESULTS"]
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as engine:
        if key := os.environ.get("KEY"):
            convert(s3, engine, Path(folder), (bucket, key), results)
            return
        table = boto3.resource("dynamodb").Table(os.environ["STOCK_TABLE"])
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=os.environ["PREFIX"])
        for each in (found["Key"] for page in pages for found in page.get("Contents", [])):
            record(table, each, "ARRIVED")
            record(table, each, "CLAIMED")
            convert(s3, engine, Path(folder), (bucket, each), results)
            for name in ("profile.json", "_result.json"):
                s3.put_object(Bucket=results, Key=f"loop/{each}/{name}", Body=json.dumps({"key": each}))
            record(table, each, "SUCCEEDED")


def convert(s3: Any, engine: duckdb.DuckDBPyConnection, folder: Path, file: tuple[str, str], results: str) -> None:
    """Write one file's table as Parquet."""
    bucket, key = file
    source, target = folder / "source.csv", folder / "data.parquet"
    s3.download_file(bucket, key, str(source))
    engine.execute(f"COPY (FROM read_csv('{source}')) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    with target.open("rb") as body:
        s3.put_object(Bucket=results, Key=f"loop/{key}/data.parquet", Body=body)


def record(table: Any, key: str, state: str) -> None:
    """Write a file's state."""
    table.put_item(Item={"pk": f"loop#{key}", "sk": "bench", "state": state})


if __name__ == "__main__":
    main()
