"""Runs the tabular processor on bytes, and returns what it wrote or why it refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from filebatch_worker.processor import InvalidFile
from tables import Result, process


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    def run(content: bytes | str, name: str = "table.csv", **options: Any) -> Result:
        workdir = tmp_path / str(len(list(tmp_path.iterdir())))
        workdir.mkdir()
        return process(workdir, content.encode() if isinstance(content, str) else content, name, **options)

    return run


@pytest.fixture
def refuse(run: Callable[..., Result]) -> Callable[..., Any]:
    """Return the InvalidFile that the processor raises for the content."""

    def refuse(content: bytes | str, name: str = "table.csv", **options: Any) -> InvalidFile:
        with pytest.raises(InvalidFile) as caught:
            run(content, name, **options)
        return caught.value

    return refuse
