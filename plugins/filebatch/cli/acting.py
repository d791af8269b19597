"""Doing files again: runs of the feed's own DAG, so that permissions, audit log and concurrency are Airflow's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from filebatch.cli import airflow_api
from filebatch.cli.airflow_api import Airflow
from filebatch.core import clock
from filebatch.core.records import FileState
from filebatch.queries import files
from filebatch.queries.files import Wanted
from filebatch.queries.verbs import Verb
from filebatch.runs import packing
from filebatch.runs.context import FeedContext

MAX_KEYS = 10_000  # of one run: its conf is kept in Airflow's database


@dataclass(frozen=True)
class Meant:
    """What a request comes to: how many files, of which states, how many bytes, in how many units, and their keys.

    Attributes:
        files: how many.
        size: bytes.
        units: container starts that they need, one a unit, if they were done by themselves.
        states: the states that they are in.
        keys: their keys, each once, where only keys say which are meant; a run takes the current version of a key.
    """

    files: int
    size: int
    units: int
    states: Sequence[FileState]
    keys: Sequence[str] = ()


def meant(ctx: FeedContext, verb: Verb, wanted: Wanted) -> Meant:
    """Look which files a verb is for; a request for each thousand files and partition of the index."""
    found = list(_found(ctx, verb, wanted))
    limits = ctx.feed.packing
    units = packing.pack(found, size=lambda file: file[1], max_bytes=limits.bytes, max_count=limits.files)
    keys = tuple(dict.fromkeys(key for key, _, _ in found)) if wanted.key else ()
    states = [state for state in verb.states if any(of is state for _, _, of in found)]
    return Meant(len(found), sum(size for _, size, _ in found), len(units), states, keys)


def _found(ctx: FeedContext, verb: Verb, wanted: Wanted) -> Iterator[tuple[str, int, FileState]]:
    for state in verb.states:
        if wanted.state not in (None, state):
            continue
        for page in files.pages(ctx, replace(wanted, state=state), size=files.MAX_PAGE):
            yield from ((file.key, file.size, file.state) for file in page.files)


def confs(verb: Verb, wanted: Wanted, found: Meant, reason: str) -> list[dict[str, Any]]:
    """Return the conf of each run that does what was found: the filters themselves, or keys where a part names them.

    A run does all that its filters name, however many: what is more than one claims is left to the runs that follow.
    """
    filters = {"code": wanted.code, "since": clock.to_iso(wanted.since) if wanted.since else ""}
    given: dict[str, Any] = {name: value for name, value in filters.items() if value} | {"reason": reason}
    given |= {"force": True} if verb.force else {}
    if not found.keys:
        return [{"state": str(state), **given} for state in found.states]
    state = wanted.state or (verb.states[0] if len(verb.states) == 1 else None)
    given |= {"state": str(state)} if state else {}
    return [{"keys": list(found.keys[at : at + MAX_KEYS]), **given} for at in range(0, len(found.keys), MAX_KEYS)]


def act(
    ctx: FeedContext, verb: Verb, wanted: Wanted, found: Meant, reason: str, airflow: Airflow | None
) -> dict[str, Any]:
    """Start runs that do these files; return what it came to. Without Airflow only say.

    Raises:
        AirflowError: Airflow refuses a run.
    """
    told = {"files": found.files, "bytes": found.size, "units": found.units}
    if airflow is None:
        return told
    runs, left = [], []
    for conf in confs(verb, wanted, found, reason):
        run = airflow_api.start(airflow, ctx.feed.name, conf, f"{verb.name}: {reason}")
        if run:
            runs.append(run)
        else:
            left.append(airflow_api.by_hand(ctx.feed.name, conf))
    return {**told, **({"runs": runs} if runs else {}), **({"no Airflow answers; do it with": left} if left else {})}
