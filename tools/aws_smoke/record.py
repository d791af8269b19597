"""What a smoke test has begun and not yet destroyed: a folder each, which outlives whoever is killed."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "begun.json"


@dataclass(frozen=True)
class Begun:
    """An environment that may be there.

    Attributes:
        prefix: what all its names begin with.
        account: the AWS account.
        region: its region.
        endpoint: of a local AWS, "" for AWS itself.
        at: when it was begun, ISO 8601.
    """

    prefix: str
    account: str
    region: str
    endpoint: str
    at: str


def new_prefix() -> str:
    """Return a prefix that nobody else has: buckets' names are the world's."""
    return f"smoke-{secrets.token_hex(4)}"


def begin(root: Path, begun: Begun) -> Path:
    """Write down that an environment is about to be made, on the disk before it is; return its folder."""
    folder = root / begun.prefix
    folder.mkdir(mode=0o700, parents=True)
    with (folder / NAME).open("w", encoding="utf-8") as file:
        json.dump(asdict(begun), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    return folder


def left(root: Path) -> Sequence[tuple[Path, Begun]]:
    """Return what was begun and not ended, each with its folder."""
    return [
        (file.parent, Begun(**json.loads(file.read_text(encoding="utf-8")))) for file in sorted(root.glob(f"*/{NAME}"))
    ]


def end(folder: Path) -> None:
    """Forget an environment that is gone."""
    shutil.rmtree(folder)
