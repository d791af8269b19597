"""Runs the tabular processor on bytes and reads its results back with an engine that is not the processor's."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from filebatch_worker.processor import Processed, Source, load_processor


@dataclass(frozen=True)
class Result:
    processed: Processed
    columns: dict[str, str]  # name → the engine's type, as stored
    rows: list[tuple[Any, ...]]
    profile: dict[str, Any]
    rejects: list[dict[str, Any]] | None

    @property
    def types(self) -> dict[str, str]:
        return {column["name"]: column["type"] for column in self.profile["columns"]}

    def column(self, name: str) -> list[Any]:
        at = list(self.columns).index(name)
        return [row[at] for row in self.rows]


def process(workdir: Path, content: bytes, name: str = "table.csv", **options: Any) -> Result:
    fetched = workdir / "fetched"
    fetched.write_bytes(content)
    results = workdir / "results"
    processed = load_processor("tabular")(Source(fetched, name, len(content)), results, options)
    paths = {output.name: output.path for output in processed.outputs}
    with duckdb.connect() as connection:
        relation = connection.from_parquet(str(paths["data.parquet"]), hive_partitioning=False)
        columns = dict(zip(relation.columns, map(str, relation.types), strict=True))
        rows = relation.fetchall()
    rejects = json.loads(paths["rejects.json"].read_text()) if "rejects.json" in paths else None
    return Result(processed, columns, rows, json.loads(paths["profile.json"].read_text()), rejects)
