"""Doing files again: runs of the feed's own DAG, so that permissions, audit log and concurrency are Airflow's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from filebatch.cli import airflow_api
from filebatch.cli.airflow_api import Airflow
from filebatch.core.listed import ListedFile
from filebatch.core.records import SETTLED_STATES, FileState
from filebatch.queries import files
from filebatch.queries.files import Wanted
from filebatch.runs.context import FeedContext


@dataclass(frozen=True)
class Verb:
    """What is done with files: its name and meaning, the states that it is for, and whether it needs `force`."""

    name: str
    meaning: str
    states: Sequence[FileState]
    force: bool = False


RETRY = Verb("retry", "Have files tried again that FAILED.", (FileState.FAILED,))
REDO = Verb("redo", "Have files done again that are settled, as a new generation.", SETTLED_STATES, force=True)


def meant(ctx: FeedContext, verb: Verb, wanted: Wanted) -> Iterator[ListedFile]:
    """Yield the files that a verb is for, each key once; a run takes the current version of a key."""
    seen: set[str] = set()
    for state in verb.states:
        if wanted.state not in (None, state):
            continue
        for page in files.pages(ctx, replace(wanted, state=state), size=files.MAX_PAGE):
            for file in page.files:
                if file.key not in seen:
                    seen.add(file.key)
                    yield file


def act(
    ctx: FeedContext, verb: Verb, found: Sequence[ListedFile], reason: str, airflow: Airflow | None
) -> dict[str, Any]:
    """Start runs that do these files, as many as a run claims each; return what it came to. Without Airflow only say.

    Raises:
        AirflowError: Airflow refuses a run.
    """
    told = {"files": len(found), "bytes": sum(file.size for file in found)}
    if airflow is None:
        return told
    most, runs, left = ctx.feed.packing.claim, [], []
    for start in range(0, len(found), most):
        conf = {"keys": [file.key for file in found[start : start + most]], **({"force": True} if verb.force else {})}
        run = airflow_api.start(airflow, ctx.feed.name, conf, f"{verb.name}: {reason}")
        if run:
            runs.append(run)
        else:
            left.append(airflow_api.by_hand(ctx.feed.name, conf))
    return {**told, **({"runs": runs} if runs else {}), **({"no Airflow answers; do it with": left} if left else {})}
