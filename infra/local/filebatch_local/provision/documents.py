"""The documents in `infra/documents/`, filled in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Template
from typing import Any


def render(folder: Path, name: str, /, **values: object) -> Any:
    """Fill in the placeholders of a document and parse it.

    Args:
        folder: where the documents are.
        name: the document's name without `.json`.
        values: text, put into JSON strings, or anything else, put in as JSON.

    Raises:
        KeyError: a placeholder has no value.
    """
    text = (folder / f"{name}.json").read_text(encoding="utf-8")
    written = {key: _text(value) if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    return json.loads(Template(text).substitute(written))


def scratch_uid(dockerfile: Path) -> str:
    """Return the user id to which /scratch belongs in the worker's image, and as which its jobs run.

    Raises:
        ValueError: the Dockerfile doesn't say.
    """
    found = re.search(r"^ARG SCRATCH_UID=([0-9]+)$", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise ValueError(f"{dockerfile}: expected a line ARG SCRATCH_UID=NUMBER")
    return found[1]


def _text(value: str) -> str:
    """Escape for the inside of a JSON string."""
    return json.dumps(value)[1:-1]
