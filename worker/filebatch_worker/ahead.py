"""Fetches the next files of a unit while one is processed: near its bucket or far, a small file is there at its turn.

Nothing else is done ahead. What is committed, in which order, and at which file a container died is as if each file
were fetched at its turn.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filebatch.core.contract import Work
from filebatch_worker.fetch import fetch
from filebatch_worker.processor import Source

FILES = 4  # fetched ahead at most
LARGEST = 8 * 2**20  # bytes: so all that is fetched ahead takes little of a container's disk


class Ahead:
    """Fetches files in the order of `works`, each into a folder of its own."""

    def __init__(self, s3: Any, works: Sequence[Work]) -> None:
        self._s3, self._works = s3, works
        self._places = {work: at for at, work in enumerate(works)}
        self._begun: dict[Work, tuple[Path, Future[Source]]] = {}
        self._pool = ThreadPoolExecutor(FILES, thread_name_prefix="fetch")

    @contextmanager
    def fetched(self, work: Work) -> Iterator[tuple[Path, Future[Source]]]:
        """Yield a folder that is gone afterwards, and the fetch of `work` into it, whose result is `fetch`'s."""
        at = self._places[work]
        for other in [each for each in self._begun if self._places[each] < at or self._has_failed(each)]:
            self._drop(other)  # a file that wasn't asked for; a fetch that is made anew at its turn
        folder, source = self._begin(work)
        try:
            for following in self._works[at + 1 : at + 1 + FILES]:
                if following.file.size <= LARGEST:
                    self._begin(following)
            yield folder, source
        finally:
            self._drop(work)

    def close(self) -> None:
        """Fetch nothing more, and remove what was fetched in vain."""
        self._pool.shutdown(cancel_futures=True)
        for work in list(self._begun):
            self._drop(work)

    def _has_failed(self, work: Work) -> bool:
        _, source = self._begun[work]
        return source.done() and not source.cancelled() and source.exception() is not None

    def _drop(self, work: Work) -> None:
        folder, source = self._begun.pop(work)
        source.cancel()
        wait([source])
        shutil.rmtree(folder, ignore_errors=True)

    def _begin(self, work: Work) -> tuple[Path, Future[Source]]:
        if work not in self._begun:
            folder = Path(tempfile.mkdtemp(prefix="file-"))
            self._begun[work] = folder, self._pool.submit(fetch, self._s3, work.file, folder)
        return self._begun[work]
