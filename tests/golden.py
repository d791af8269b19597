"""Golden documents: what crosses a boundary, as it was when both sides last agreed on it."""

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("golden")


def golden(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def agrees(name: str, produced: Any) -> bool:
    """Compare with the golden document; `WRITE_GOLDEN=1` writes it anew, for a change that is meant."""
    file = FOLDER / f"{name}.json"
    if os.environ.get("WRITE_GOLDEN"):
        file.write_text(json.dumps(produced, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    assert json.loads(json.dumps(produced)) == golden(name)
    return True
