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


def of_clone(root: Path, *, packed: bool) -> Files:
    """Return the files that are laid down; MWAA takes the plugins packed."""
    plugins = _plugins_zip(root)
    required = {"requirements.txt": (root / "requirements.txt").read_bytes()}
    dags = {file.relative_to(root).as_posix(): file.read_bytes() for file in sorted(_files(root / "dags"))}
    if packed:
        return {"plugins.zip": plugins, **required, **dags}
    with zipfile.ZipFile(io.BytesIO(plugins)) as archive:
        unpacked = {f"plugins/{name}": archive.read(name) for name in archive.namelist()}
    return {**unpacked, **required, **dags}


def image(root: Path, *also: str) -> str:
    """Return the hash of what a build of the worker's image is given: its Dockerfile, what .dockerignore lets through.

    `also` is what else makes it another image: another base, other processors.
    """
    lets_through = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    named = [root / line[1:] for line in lets_through if line.startswith("!")]
    within = (file for folder in named if folder.is_dir() for file in _files(folder))
    files = sorted({root / "worker" / "Dockerfile", *within, *(each for each in named if each.is_file())})
    lines = [f"{file.relative_to(root).as_posix()} {of(file.read_bytes())}" for file in files]
    return of("\n".join([*lines, *also]).encode())


def mwaa(environment: str) -> str:
    """Return the name of an environment file's environment of Amazon MWAA, as Terraform names it; "" for none."""
    prefix = re.search(r'^res_prefix\s*=\s*"([^"]+)"', environment, re.MULTILINE)
    has = re.search(r"^mwaa\s*=\s*\{", environment, re.MULTILINE)
    return f"{prefix[1]}-mwaa-airflow" if prefix and has else ""


def region(environment: str) -> str:
    """Return the region that an environment file names, else Terraform's default."""
    found = re.search(r'^region\s*=\s*"([^"]+)"', environment, re.MULTILINE)
    return found[1] if found else "eu-west-1"


def protected(environment: str) -> bool:
    """Tell whether an environment's ledger, buckets and images refuse to be destroyed."""
    return re.search(r"^deletion_protection\s*=\s*false\b", environment, re.MULTILINE) is None


def feeds(files: Files) -> Files:
    """Return the feed files among what is laid down, by their names."""
    return {path.rpartition("/")[2]: content for path, content in files.items() if part(path) == "feeds"}


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
