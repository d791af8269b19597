"""The second opinion says what it didn't try, and is the same everywhere."""

import json

import pytest

import conformance
import emulators
from aws import ROOT


def test_without_npm_it_says_so_and_passes(monkeypatch, capsys):
    monkeypatch.setattr(conformance.shutil, "which", lambda _: None)
    monkeypatch.setattr(conformance.subprocess, "run", lambda *_, **__: pytest.fail("nothing is to be run"))
    assert conformance.main([]) == 0
    assert "NOT TRIED" in capsys.readouterr().out


def test_where_npm_can_not_install_it_says_what_to_do_and_tries_again_next_time(monkeypatch, tmp_path):
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho npm error network >&2\nexit 1\n")
    npm.chmod(0o700)
    monkeypatch.setattr(conformance, "FOLDER", tmp_path / "folder")
    with pytest.raises(SystemExit, match="npm config set registry URL"):
        conformance._install(str(npm))
    assert not (tmp_path / "folder" / "installed.json").exists()


def test_the_lock_file_names_every_package_by_its_content_and_no_registry():
    packages = json.loads((conformance.LOCK / "package-lock.json").read_text())["packages"]
    assert "node_modules/dynalite" in packages
    for name, package in packages.items():
        assert "resolved" not in package
        assert not name or package["integrity"].startswith("sha512-")


def test_what_emulators_do_unlike_aws_is_about_tests_that_there_are():
    for test in [*conformance.UNLIKE_AWS, *conformance.UNLIKE_AWS_OTHERS]:
        file, _, name = test.partition("[")[0].partition("::")
        assert f"def {name}(" in (ROOT / file).read_text()


def test_a_service_has_its_own_emulator_or_that_of_all_but_batch(monkeypatch):
    monkeypatch.setenv("FILEBATCH_EMULATOR", "http://all")
    monkeypatch.setenv("FILEBATCH_EMULATOR_DYNAMODB", "http://one")
    found = [emulators.of(service) for service in ("s3", "dynamodb", "batch")]
    assert found == ["http://all", "http://one", None]
    assert emulators.variables()["AWS_ENDPOINT_URL_DYNAMODB"] == "http://one"


def test_without_any_the_local_aws_is_asked(monkeypatch):
    for name in ("FILEBATCH_EMULATOR", "FILEBATCH_EMULATOR_DYNAMODB"):
        monkeypatch.delenv(name, raising=False)
    assert (emulators.of("dynamodb"), emulators.variables()) == (None, {})
