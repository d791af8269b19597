"""Removes pip, and all that brings it back, from the Python that runs this."""

from __future__ import annotations

import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

INSTALLERS = ("pip", "ensurepip", "setuptools", "pkg_resources", "wheel")


def remove() -> None:
    """Remove their packages, what is known of them, and their commands."""
    found = [spec for name in INSTALLERS if (spec := find_spec(name))]
    for package in (Path(spec.origin).parent for spec in found if spec.origin):
        shutil.rmtree(package)
        for name in INSTALLERS:
            for known in package.parent.glob(f"{name}-*.*-info"):
                shutil.rmtree(known)
    for folder in (Path(sysconfig.get_path("scripts")), Path("/usr/bin")):
        for command in folder.glob("pip*"):
            command.unlink()


if __name__ == "__main__":
    remove()
