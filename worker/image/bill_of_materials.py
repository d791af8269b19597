"""Writes what the image it runs in is made of: `python bill_of_materials.py FOLDER`.

FOLDER gets `sbom.cdx.json`, a bill of materials that scanners read (CycloneDX 1.6,
https://cyclonedx.org/docs/1.6/json/), and `licences.tsv`, a list for people. In both are Python, its packages on
`sys.path` and Debian's packages. The same image makes the same bytes: no times, nothing random.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from urllib.parse import quote

UNKNOWN = "unknown"
OSI = "License :: OSI Approved :: "
A_LICENCE = re.compile(r"(?:licen[cs]e|copying|notice)[^/]*", re.IGNORECASE)
DEBIAN = "${Package}\t${Version}\t${Architecture}\t${db:Status-Status}\n"


@dataclass(frozen=True, order=True)
class Component:
    """One thing that an image holds.

    Attributes:
        kind: where its name is from: generic, pypi or deb (https://github.com/package-url/purl-spec).
        name: its name there.
        version: its version there.
        licence: an SPDX expression, or what its author calls it; UNKNOWN where nobody says.
        texts: files of the image with the words of its licence.
        architecture: Debian's name of the processors that it is for; "" where that isn't said.
    """

    kind: str
    name: str
    version: str
    licence: str
    texts: tuple[str, ...] = ()
    architecture: str = ""

    @property
    def purl(self) -> str:
        """Its address as scanners look it up."""
        place = f"deb/debian/{self.name}" if self.kind == "deb" else f"{self.kind}/{self.name}"
        found = f"pkg:{place}@{quote(self.version, safe=':~')}"
        return f"{found}?arch={self.architecture}" if self.architecture else found


def everything() -> list[Component]:
    """Return all that is found here, sorted."""
    return sorted({_python(), *_packages(), *_of_debian()})


def _python() -> Component:
    return Component("generic", "python", platform.python_version(), "PSF-2.0")


def _packages() -> Iterator[Component]:
    for each in distributions():
        name = re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower()
        yield Component("pypi", name, each.version, licence_of(each), _texts(each))


def licence_of(package: Distribution) -> str:
    """Return a Python package's licence: its expression, else what its classifiers name, else its own short word.

    https://packaging.python.org/en/latest/specifications/core-metadata/#license-expression
    """
    for expression in _said(package, "License-Expression"):
        return expression
    named = sorted(each.removeprefix(OSI) for each in _said(package, "Classifier") if each.startswith(OSI))
    short = (each for each in _said(package, "License") if "\n" not in each)
    return " OR ".join(named) or next(short, UNKNOWN)


def _said(package: Distribution, field: str) -> list[str]:
    return [text for each in package.metadata.get_all(field) or () if (text := str(each).strip())]


def _texts(package: Distribution) -> tuple[str, ...]:
    files = (each for each in package.files or () if ".dist-info" in str(each) and A_LICENCE.fullmatch(each.name))
    return tuple(sorted(str(each.locate()) for each in files))


def _of_debian() -> Iterator[Component]:
    asking = shutil.which("dpkg-query")
    if not asking:
        return
    told = subprocess.run([asking, "--show", f"--showformat={DEBIAN}"], capture_output=True, text=True, check=True)
    for line in told.stdout.splitlines():
        name, version, architecture, status = line.split("\t")
        if status == "installed":
            file = Path("/usr/share/doc") / name / "copyright"
            text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
            texts = (str(file),) if text else ()
            yield Component("deb", name, version, licence_in(text), texts, architecture)


def licence_in(text: str) -> str:
    """Return the licences that a Debian package's copyright file names: in its fields, else as Debian's common ones.

    https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
    https://www.debian.org/doc/debian-policy/ch-docs.html#copyright-information
    """
    fields = {each.strip() for each in re.findall(r"^License:[ \t]*(\S.*)$", text, re.MULTILINE)}
    common = re.findall(r"/usr/share/common-licenses/([\w.+-]*[\w+])", text)
    return "; ".join(sorted(fields or set(common))) or UNKNOWN


def bill(components: Iterable[Component]) -> dict[str, object]:
    """Return a CycloneDX document."""
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": "filebatch-worker"}},
        "components": [_entry(each) for each in components],
    }


def _entry(one: Component) -> dict[str, object]:
    kind = "platform" if one.kind == "generic" else "library"
    found: dict[str, object] = {"type": kind, "bom-ref": one.purl, "name": one.name, "version": one.version}
    if one.licence != UNKNOWN:
        found["licenses"] = [{"license": {"name": one.licence}}]
    return {**found, "purl": one.purl}


def listing(components: Iterable[Component]) -> str:
    """Return a list for people: name, version, licence and the files with its words, separated by tabs."""
    lines = ("\t".join([each.purl, each.version, each.licence, " ".join(each.texts)]) for each in components)
    return "".join(f"{line}\n" for line in ("package\tversion\tlicence\ttexts", *lines))


def main(folder: Path) -> None:
    """Write both files into a folder."""
    found = everything()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sbom.cdx.json").write_text(json.dumps(bill(found), indent=1) + "\n", encoding="utf-8")
    (folder / "licences.tsv").write_text(listing(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
