"""What this clone would deploy, by part, and what is needed there before."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

Files = Mapping[str, bytes]
PARTS = ("plugins", "requirements", "DAGs", "feeds")  # each needs those before it, so this is the order of laying down
CACHES = "__pycache__"


def part(path: str) -> str:
    """Return the part that a path belongs to."""
    if path.startswith("dags/feeds/"):
        return "feeds"
    if path.startswith("dags/"):
        return "DAGs"
    return "plugins" if path.startswith("plugins") else "requirements"


def of_clone(root: Path, mwaa: bool) -> tuple[Files, Files]:
    """Return the files that are laid down, and those that must be there before.

    MWAA reads plugins.zip and requirements.txt when it starts: Terraform lays them down and updates the environment,
    which takes half an hour, and DAGs that need them must come later.
    """
    packed = _plugins_zip(root)
    required = {"requirements.txt": (root / "requirements.txt").read_bytes()}
    dags = {file.relative_to(root).as_posix(): file.read_bytes() for file in sorted(_files(root / "dags"))}
    if mwaa:
        return dags, {"plugins.zip": packed, **required}
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        plugins = {f"plugins/{name}": archive.read(name) for name in archive.namelist()}
    return {**plugins, **required, **dags}, {}


def image(root: Path) -> str:
    """Return the hash of what goes into the worker's image."""
    folders = [root / "worker", root / "plugins" / "filebatch" / "core"]
    files = sorted(file for folder in folders for file in _files(folder))
    lines = [f"{file.relative_to(root).as_posix()} {of(file.read_bytes())}" for file in files]
    return of("\n".join([*lines, of((root / "requirements" / "worker.txt").read_bytes())]).encode())


def has_mwaa(environment: str) -> bool:
    """Tell whether an environment file has Amazon MWAA."""
    return re.search(r"^mwaa\s*=\s*\{", environment, re.MULTILINE) is not None


def of(content: bytes) -> str:
    """Return a document's hash, which is its name among the recorded ones."""
    return hashlib.sha256(content).hexdigest()


def hashes(files: Files) -> dict[str, str]:
    """Return each path's hash."""
    return {path: of(content) for path, content in files.items()}


def in_order(paths: Iterable[str]) -> list[str]:
    """Return paths so that each comes after what it needs."""
    return sorted(paths, key=lambda path: (PARTS.index(part(path)), path))


def _plugins_zip(root: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "plugins.zip"
        subprocess.run([sys.executable, root / "infra" / "plugins-zip", target], check=True)
        return target.read_bytes()


def _files(folder: Path) -> Iterator[Path]:
    """Yield what of a folder is deployed: no link, which may lead anywhere, nothing hidden, and no compiled code."""
    for file in folder.rglob("*"):
        parts = file.relative_to(folder).parts
        hidden = any(part.startswith(".") and part != ".airflowignore" for part in parts)
        if file.is_file() and not (file.is_symlink() or hidden or CACHES in parts or file.suffix == ".pyc"):
            yield file
