"""Fetches the next files of a unit while one is processed: near its bucket or far, a small file is there at its turn.

Nothing else is done ahead: a file is begun at its turn.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

from filebatch.core.contract import IN_FLIGHT, Work

SMALL = 64 * 2**20  # bytes; a larger file is alone on its container's disk, before it is processed and afterwards

T = TypeVar("T")


class Ahead(Generic[T]):
    """Calls `fetch` for `works` in their order, each with a folder of its own."""

    def __init__(self, fetch: Callable[[Work, Path], T], works: Sequence[Work]) -> None:
        self._fetch, self._works = fetch, works
        self._begun: dict[Work, tuple[Path, Future[T]]] = {}
        self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="fetch")

    def take(self, work: Work) -> tuple[Path, Future[T]]:
        """Return the folder of a file, from now on the caller's, and its fetch; begin with the next ones."""
        if self._has_failed(work):
            self._drop(work)  # it is made anew at its turn
        self._begin(work)
        at = self._works.index(work) + 1
        for following in self._works[at : at + IN_FLIGHT]:
            if following.file.size <= SMALL:
                self._begin(following)
        return self._begun.pop(work)

    def close(self) -> None:
        """Fetch nothing more, and remove what was fetched in vain."""
        self._pool.shutdown(cancel_futures=True)
        for work in list(self._begun):
            self._drop(work)

    def _has_failed(self, work: Work) -> bool:
        found = self._begun.get(work)
        return found is not None and found[1].done() and found[1].exception() is not None

    def _drop(self, work: Work) -> None:
        folder, _ = self._begun.pop(work)
        shutil.rmtree(folder, ignore_errors=True)

    def _begin(self, work: Work) -> None:
        if work not in self._begun:
            folder = Path(tempfile.mkdtemp(prefix="file-"))
            self._begun[work] = folder, self._pool.submit(self._fetch, work, folder)
