"""Deployments as records in the place itself, and the lock that lets one person deploy at a time.

deployments/NUMBER.json says which content each path has, deployments/files/HASH holds it. A record is there before the
first file is touched and says that it's finished after the last: what an interrupted deployment has laid down is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

from deploy.contents import Files, hashes
from deploy.places import Place

RECORDS = "deployments"
RECORD = re.compile(rf"{RECORDS}/\d{{6,}}\.json")  # what else lies there is somebody's own
LOCK = "deployments/lock/owner.json"


class RefusedError(Exception):
    """A deployment that can't be made now; its text says what to do."""


@dataclass(frozen=True)
class Deployment:
    """A deployment.

    Attributes:
        number: 1 for the first.
        by: who made it.
        at: when it was begun.
        files: path => hash of what is laid down.
        image: tag of the worker's image; "" where it wasn't looked at.
        finished: all of it is laid down.
        verified: Airflow was seen to have it.
    """

    number: int
    by: str
    at: str
    files: Mapping[str, str]
    image: str = ""
    finished: bool = False
    verified: bool = False


def newest(place: Place) -> Iterator[Deployment]:
    """Yield deployments, the newest first, each read when it is asked for: there may be hundreds."""
    for path in reversed([path for path in place.below(RECORDS) if RECORD.fullmatch(path)]):
        content = place.read(path)
        if content is not None:
            yield _read(path, content)


def recorded(place: Place) -> list[Deployment]:
    """Return all deployments, the oldest first."""
    return list(newest(place))[::-1]


def _read(path: str, content: bytes) -> Deployment:
    try:
        return Deployment(**json.loads(content))
    except (ValueError, TypeError) as error:
        raise RefusedError(
            f"{path}: expected the record of a deployment, found {content[:60]!r} ({error}); move it away"
        ) from error


def owned(place: Place) -> set[str]:
    """Return the paths that deployments have laid down: the last finished one, and those that broke off since."""
    found: set[str] = set()
    for each in newest(place):
        found |= set(each.files)
        if each.finished:
            break
    return found


def numbered(deployments: list[Deployment], number: int) -> Deployment:
    """Return the finished deployment of a number.

    Raises:
        RefusedError: there is none.
    """
    found = {each.number: each for each in deployments if each.finished}
    if number not in found:
        known = ", ".join(map(str, found)) or "none"
        raise RefusedError(f"there is no finished deployment {number}; there are: {known}")
    return found[number]


def contents(place: Place, deployment: Deployment) -> dict[str, bytes]:
    """Return the files of a deployment, as they were kept.

    Raises:
        RefusedError: one isn't what was kept, or isn't there.
    """
    found = {path: place.read(_kept(name)) or b"" for path, name in deployment.files.items()}
    wrong = [path for path, name in hashes(found).items() if name != deployment.files[path]]
    if wrong:
        raise RefusedError(f"deployment {deployment.number} can't be had again: {RECORDS}/files lacks {wrong[0]}")
    return found


def begin(place: Place, deployment: Deployment, files: Files) -> None:
    """Keep the files and write the record down."""
    for path, name in deployment.files.items():
        place.create(_kept(name), files[path])
    _write(place, deployment)


def finish(place: Place, deployment: Deployment, *, verified: bool = False) -> None:
    """Say in the record that all of it is laid down, and whether Airflow was seen to have it."""
    _write(place, replace(deployment, finished=True, verified=verified))


@contextmanager
def locked(place: Place, by: str, at: str, take_over: str | None = None) -> Iterator[None]:
    """Keep others from deploying; `take_over` names an owner who is known to be gone.

    The lock's document is never removed, only replaced by whoever saw it last: who is late finds another there.

    Raises:
        RefusedError: somebody has the lock.
    """
    mine = json.dumps({"owner": by, "since": at}).encode()
    _take(place, mine, take_over)
    try:
        yield
    finally:
        place.swap(LOCK, mine, json.dumps({"owner": None, "since": at, "last": by}).encode())


def _take(place: Place, mine: bytes, take_over: str | None) -> None:
    if place.create(LOCK, mine):
        return
    there = place.read(LOCK) or b""
    if there == mine:  # what was refused is there by this very call, as a client sends again what got no answer
        return
    owner, since = _holder(there)
    if owner in (None, take_over) and place.swap(LOCK, there, mine):
        return
    owner, since = _holder(place.read(LOCK) or b"")
    raise RefusedError(
        f"{owner or 'somebody'} has been deploying here since {since}; wait, or where that one is known to be gone: "
        f"ARGS='--take-over {owner}'"
    )


def holder(place: Place) -> str | None:
    """Return who has the lock."""
    there = place.read(LOCK)
    return None if there is None else _holder(there)[0]


def _holder(lock: bytes) -> tuple[str | None, str]:
    """Return who has a lock, None where nobody has, and since when."""
    try:
        found = json.loads(lock)
        return found["owner"], str(found["since"])
    except (ValueError, TypeError, KeyError) as error:
        raise RefusedError(f"{LOCK}: expected owner and since, found {lock[:60]!r}; move it away") from error


def _write(place: Place, deployment: Deployment) -> None:
    content = json.dumps(asdict(deployment), indent=1).encode()
    place.write(f"{RECORDS}/{deployment.number:06d}.json", content)


def _kept(name: str) -> str:
    return f"{RECORDS}/files/{name}"
