"""What the doctor finds in a clone: nothing in this one, and each kind of fault in one that has it."""

import shutil
from pathlib import Path

import pytest

from aws import ROOT
from doctor import repository
from doctor.repository import CHECKS

PARTS = ("dags", "plugins", "requirements")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "infra").mkdir()
    for file in ("requirements.txt", "infra/plugins-zip"):
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


@pytest.mark.parametrize("name", CHECKS)
def test_this_clone_is_fine(name):
    assert list(CHECKS[name](ROOT)) == []


def only(found):
    (finding,) = found
    return finding.what


def test_a_broken_feed_file(clone):
    (clone / "dags" / "feeds" / "orders.yaml").write_text("prefix: orders/\nstart: 2026-01-01\nvcpu: 3\n")
    assert only(repository.feed_files(clone)).startswith("orders.yaml: vcpu: expected")


@pytest.mark.parametrize("missing", ["filebatch/__init__.py", "filebatch_plugin.py", ".airflowignore"])
def test_a_part_that_the_zip_lacks(clone, missing):
    (clone / "plugins" / missing).unlink()
    assert only(repository.plugins_zip(clone)) == f"plugins.zip has no {missing}"


def test_an_ignore_file_that_ignores_nothing(clone):
    (clone / "plugins" / ".airflowignore").write_text("# filebatch/\n")
    assert "no line filebatch/" in only(repository.plugins_zip(clone))


@pytest.mark.parametrize("name", ["plugins/boto3.py", "dags/json.py", "plugins/yaml"])
def test_a_name_of_another_module(clone, name):
    found = clone / name
    found.write_text("") if found.suffix else found.mkdir()
    assert only(repository.shadowing(clone)) == f"{name} has the name of a module"


def test_a_trigger_that_needs_what_is_not_there(clone):
    file = clone / "plugins" / "filebatch" / "triggers" / "pause.py"
    file.write_text(f"import file_to_batch\n{file.read_text()}".replace("from __future__ import annotations\n", ""))
    told = only(repository.triggers(clone))
    assert told.startswith("filebatch.triggers.pause can't be imported")
    assert "file_to_batch" in told


def test_triggers_are_fine_in_a_shell_of_the_local_aws(monkeypatch):
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS", "filebatch_local.base.sqlite.connect_args")
    assert list(repository.triggers(ROOT)) == []


def test_a_look_leaves_no_airflow_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AIRFLOW_HOME", raising=False)
    assert list(repository.triggers(ROOT)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("was", "becomes"), [("PyYAML==6.0.3", "PyYAML==6.0.2"), ("PyYAML==6.0.3", "unknown==1.0")])
def test_a_requirement_that_was_not_tested(clone, was, becomes):
    file = clone / "requirements.txt"
    file.write_text(file.read_text().replace(was, becomes))
    assert f"requirements.txt has {becomes.lower()}" in only(repository.requirements(clone))
