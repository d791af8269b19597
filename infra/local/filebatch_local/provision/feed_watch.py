"""Watches the feed files: provisions new and changed feeds, and removes those whose files are gone."""

from __future__ import annotations

import hashlib
import logging
import stat
import threading
from collections.abc import Callable, Collection, Mapping, Set
from pathlib import Path

log = logging.getLogger("filebatch_local")

READ_EVERY = 1.0  # seconds
MAX_BYTES = 2**20  # read of a file; feed files are smaller

Seen = Mapping[str, str]


def read(folder: Path) -> Seen:
    """Return a hash of each feed file, by the feed's name."""
    return {file.stem: _hash(file) for file in folder.glob("*.yaml")}


def watch(
    folder: Path,
    seen: Seen,
    stop: threading.Event,
    provision: Callable[[], Collection[str]],
    remove: Callable[[Set[str]], object],
) -> None:
    """Provision after each change of the feed files, until `stop` is set.

    Args:
        folder: where feed files are.
        seen: the hashes from before the first provisioning.
        stop: ends it.
        provision: creates what is missing and changes what is different; returns the names of the feeds it did, and
            logs itself which files can't be used.
        remove: removes the resources of feeds, by name, whose files are gone.
    """
    while not stop.wait(READ_EVERY):
        found = read(folder)
        if found == seen:
            continue
        try:
            provisioned = provision()
            remove(seen.keys() - found.keys())
        except Exception:  # the server goes on, and the next round tries again
            log.exception("the feeds in %s could not be provisioned; trying again in %.0f s", folder, READ_EVERY)
        else:
            _log("feeds provisioned", _changed(seen, found).intersection(provisioned))
            _log("feeds removed", seen.keys() - found.keys())
            seen = found


def _log(what: str, feeds: Set[str]) -> None:
    if feeds:
        log.info("%s: %s", what, ", ".join(sorted(feeds)))


def _changed(before: Seen, after: Seen) -> set[str]:
    return {name for name, _ in before.items() ^ after.items()}


def _hash(file: Path) -> str:
    """Return a hash of a regular file's content; "" for anything else, and for a file that is gone meanwhile."""
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            return ""
        with file.open("rb") as opened:
            return hashlib.sha256(opened.read(MAX_BYTES)).hexdigest()
    except OSError:
        return ""
