"""A new, changed or removed feed file is all that a running local AWS needs: it looks after them by itself."""

from __future__ import annotations

import hashlib
import logging
import stat
import threading
from collections.abc import Callable, Collection, Mapping, Set
from pathlib import Path

log = logging.getLogger("filebatch_local")

LOOK_EVERY = 1.0  # seconds
AT_MOST = 2**20  # bytes that are read of a file; a feed's has less

Seen = Mapping[str, str]


def look(folder: Path) -> Seen:
    """Return what stands in each feed file, as a hash by the feed's name."""
    return {file.stem: _hash(file) for file in folder.glob("*.yaml")}


def watch(
    folder: Path,
    seen: Seen,
    stop: threading.Event,
    provision: Callable[[], Collection[str]],
    remove: Callable[[Set[str]], object],
) -> None:
    """Bring the environment up to date after each change of the feed files, until `stop` is set.

    Args:
        folder: where feed files are.
        seen: what was looked at before all was provisioned for the first time.
        stop: ends it.
        provision: creates what is missing and changes what is different; returns the names of the feeds it did, and
            logs itself which files can't be used.
        remove: takes away what belongs to feeds, by name, whose files are gone.
    """
    while not stop.wait(LOOK_EVERY):
        found = look(folder)
        if found == seen:
            continue
        try:
            provisioned = provision()
            remove(seen.keys() - found.keys())
        except Exception:  # whatever it is, the server goes on, and the next look tries again
            log.exception("the feeds in %s could not be brought up to date; tried again in %.0f s", folder, LOOK_EVERY)
        else:
            _tell("feeds brought up to date", _changed(seen, found).intersection(provisioned))
            _tell("feeds removed", seen.keys() - found.keys())
            seen = found


def _tell(what: str, feeds: Set[str]) -> None:
    if feeds:
        log.info("%s: %s", what, ", ".join(sorted(feeds)))


def _changed(before: Seen, after: Seen) -> set[str]:
    return {name for name, _ in before.items() ^ after.items()}


def _hash(file: Path) -> str:
    """Return a hash of a regular file's content; anything else, or what is gone meanwhile, is alike."""
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            return ""
        with file.open("rb") as opened:
            return hashlib.sha256(opened.read(AT_MOST)).hexdigest()
    except OSError:
        return ""
