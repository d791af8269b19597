"""What an environment's Airflow answers to InvokeRestApi: DAGs of the feeds in its bucket, and runs that really run.

https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html; a path has no `/api/v2` in front:
https://docs.aws.amazon.com/mwaa/latest/userguide/access-mwaa-apache-airflow-rest-api.html
"""

from __future__ import annotations

import re
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filebatch.feeds.feed import load_feeds

CONDUCTOR = "file_to_batch.py"  # makes a DAG of each feed
REPORTER = "broken_feeds.py"  # whose import errors are those of feed files
LIBRARY = "filebatch/__init__.py"
PAGE = 100  # Airflow's api.maximum_page_limit

Files = Mapping[str, bytes]
Answer = tuple[int, Any]


@dataclass(frozen=True)
class Code:
    """What an Airflow has: its DAG folder's files, and the names in the plugins.zip that it started with."""

    dags: Files
    plugins: frozenset[str]


@dataclass
class Airflow:
    """An environment's Airflow.

    Attributes:
        code: what it reads now.
        run: does a run of a DAG (its id, conf, and the DAG folder's files) and tells whether it succeeded.
    """

    code: Callable[[], Code]
    run: Callable[[str, Any, Files], bool]
    starts_paused: bool = False
    _paused: dict[str, bool] = field(default_factory=dict)
    _runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def answer(self, method: str, path: str, query: Mapping[str, Any], body: Mapping[str, Any]) -> Answer:
        """Answer a request: HTTP's status, and a document."""
        dags, errors = _parsed(self.code())
        match method, path.strip("/").split("/"):
            case "GET", ["version"]:
                return 200, {"version": "3.2.1", "git_version": None}
            case "GET", ["importErrors"]:
                return 200, {"import_errors": errors, "total_entries": len(errors)}
            case "GET", ["dags"]:
                return 200, _page("dags", [self._dag(name) for name in dags], query)
            case _, ["dags", name, *rest] if name in dags:
                return self._of_dag(method, name, rest, query, body)
        return 404, {"detail": "Not Found"}

    def _of_dag(self, method: str, name: str, rest: list[str], query: Mapping[str, Any], body: Any) -> Answer:
        match method, rest:
            case "GET", []:
                return 200, self._dag(name)
            case "PATCH", []:
                self._paused[name] = body["is_paused"]
                return 200, self._dag(name)
            case "GET", ["dagRuns"]:
                return 200, _page("dag_runs", self._runs.get(name, [])[::-1], query)
            case "POST", ["dagRuns"]:
                return self._start(name, body)
        return 405, {"detail": "Method Not Allowed"}

    def _dag(self, name: str) -> dict[str, Any]:
        return {"dag_id": name, "is_paused": self._paused.setdefault(name, self.starts_paused)}

    def _start(self, name: str, body: Mapping[str, Any]) -> Answer:
        if "logical_date" not in body:
            return 422, {"detail": [{"loc": ["body", "logical_date"], "msg": "Field required"}]}
        run_id = body.get("dag_run_id") or f"manual__{uuid.uuid4()}"
        run = {"dag_run_id": run_id, "dag_id": name, "conf": body.get("conf"), "state": "running"}
        self._runs.setdefault(name, []).append(run)
        dags = self.code().dags

        def done() -> None:
            run["state"] = "success" if self.run(name, body.get("conf"), dags) else "failed"

        threading.Thread(target=done, daemon=True).start()
        return 200, dict(run)


def _parsed(code: Code) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the DAGs and the import errors of what lies in the DAG folder."""
    if CONDUCTOR not in code.dags:
        return [], []
    if LIBRARY not in code.plugins:
        return [], [_error(CONDUCTOR, "ModuleNotFoundError: No module named 'filebatch'")]
    with tempfile.TemporaryDirectory() as folder:
        lay_down(code.dags, Path(folder))
        feeds, errors = load_feeds(Path(folder) / "feeds")
    return sorted(feed.name for feed in feeds), [_error(REPORTER, str(error)) for error in errors]


def lay_down(files: Files, folder: Path) -> None:
    """Write files into a folder."""
    for path, content in files.items():
        if re.search(r"(^|/)\.\.(/|$)", path):
            raise ValueError(f"{path}: expected a path inside the DAG folder")
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _error(file: str, text: str) -> dict[str, Any]:
    return {"filename": file, "bundle_name": "dags-folder", "stack_trace": text}


def _page(name: str, found: list[dict[str, Any]], query: Mapping[str, Any]) -> dict[str, Any]:
    paused = query.get("paused")
    if paused is not None:
        found = [each for each in found if each["is_paused"] == (str(paused).lower() == "true")]
    start = int(query.get("offset", 0))
    return {name: found[start : start + min(int(query.get("limit", 50)), PAGE)], "total_entries": len(found)}
