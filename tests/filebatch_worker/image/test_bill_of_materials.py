"""What an image says that it is made of: of the worker's own environment, without an engine."""

import importlib.util
import json
import re
import subprocess
import sys
from email.message import Message
from types import SimpleNamespace

import pytest

from aws import ROOT

SCRIPT = ROOT / "worker" / "image" / "bill_of_materials.py"
PYTHON = ROOT / ".venv-worker" / "bin" / "python"


@pytest.fixture
def script(monkeypatch):
    spec = importlib.util.spec_from_file_location("bill_of_materials", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where dataclasses looks
    spec.loader.exec_module(module)
    return module


def test_every_package_of_the_workers_lock_is_listed_with_its_licence_and_again_with_the_same_bytes(tmp_path):
    for folder in ("one", "other"):
        subprocess.run([PYTHON, SCRIPT, tmp_path / folder], check=True)
    bill, listed = (tmp_path / "one" / name for name in ("sbom.cdx.json", "licences.tsv"))
    for file in (bill, listed):
        assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes()

    found = {each["purl"]: each for each in json.loads(bill.read_text())["components"]}
    locked = re.findall(r"^([\w.-]+==\S+)", (ROOT / "requirements" / "worker.txt").read_text(), re.MULTILINE)
    assert len(locked) > 5
    for pin in locked:
        name, _, version = pin.partition("==")
        assert found[f"pkg:pypi/{name}@{version}"]["licenses"]
    assert len(found) == len(listed.read_text().splitlines()) - 1


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        ({"License-Expression": "MIT OR Apache-2.0", "License": "other"}, "MIT OR Apache-2.0"),
        ({"License": "Dual License", "Classifier": "License :: OSI Approved :: BSD License"}, "BSD License"),
        ({"License": "Apache-2.0"}, "Apache-2.0"),
        ({"License": "A whole text\nof many lines"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_a_packages_licence_is_what_it_says_most_exactly(script, said, licence):
    metadata = Message()
    for name, value in said.items():
        metadata[name] = value
    assert script.licence_of(SimpleNamespace(metadata=metadata)) == licence


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("Files: *\nLicense: GPL-2+\n words\n\nLicense: Expat\n words", "Expat; GPL-2+"),
        ("the full text is in /usr/share/common-licenses/LGPL-2.1.", "LGPL-2.1"),
        ("do with it what you want", "unknown"),
    ],
)
def test_a_debian_packages_licences_are_those_that_its_copyright_file_names(script, text, licence):
    assert script.licence_in(text) == licence


def test_what_nobody_says_the_licence_of_has_none_in_the_bill(script):
    one = script.Component("deb", "libc6", "1:2.36-9+deb12u10", "unknown", (), "amd64")
    (entry,) = script.bill([one])["components"]
    assert "licenses" not in entry
    assert entry["purl"] == "pkg:deb/debian/libc6@1:2.36-9%2Bdeb12u10?arch=amd64"
