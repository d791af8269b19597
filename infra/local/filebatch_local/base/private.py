"""Folders and files that only their owner can read, from the moment they exist."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write(file: Path, text: str) -> None:
    """Write a file that only its owner can read; readers see the old text or the new one."""
    unfinished = file.with_name(f".{file.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as output:  # noqa: PTH123 - it is open already
        output.write(text)
    unfinished.replace(file)


def secret(file: Path, size: int = 32) -> str:
    """Return the secret in a file; make one of so many bytes where there is none yet."""
    if not file.exists():
        write(file, secrets.token_urlsafe(size))
    return file.read_text(encoding="ascii")


def is_private(folder: Path) -> bool:
    """Tell whether a folder belongs to this user and nobody else may enter it."""
    found = folder.stat()
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077
