"""What can be said of the Terraform without running it: READMEs, proofs of validations, the zip of plugins."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra.terraform import ROOT

INFRA = ROOT / "infra"
VARIABLE = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}', re.DOTALL | re.MULTILINE)
RUN = re.compile(r'^run "\w+" \{\n(.*?)^\}', re.DOTALL | re.MULTILINE)
MODULES = [INFRA, *sorted(path for path in (INFRA / "modules").iterdir() if path.is_dir())]


def variables(module: Path) -> dict[str, str]:
    return dict(VARIABLE.findall((module / "variables.tf").read_text(encoding="utf-8")))


@pytest.mark.parametrize("module", MODULES, ids=lambda each: each.name)
def test_every_variable_is_typed_and_described(module: Path) -> None:
    for name, body in variables(module).items():
        assert re.search(r"^  type += (?!any)", body, re.MULTILINE), name
        assert re.search(r'^  description = "\S', body, re.MULTILINE), name


@pytest.mark.parametrize("module", MODULES, ids=lambda each: each.name)
def test_every_validation_is_shown_to_refuse_something(module: Path) -> None:
    name = "root" if module == INFRA else module.name
    file = INFRA / "tests" / f"{name}.tftest.hcl"
    runs = RUN.findall(file.read_text(encoding="utf-8")) if file.exists() else []
    for variable, body in variables(module).items():
        refused = [
            run for run in runs if re.search(rf"expect_failures = \[.*?\bvar\.{variable}\b.*?\]", run, re.DOTALL)
        ]
        assert len(refused) >= len(re.findall(r"^  validation \{", body, re.MULTILINE)), variable


def test_documents_are_filled_in_by_one_module_and_arns_name_their_partition() -> None:
    service = re.compile(r'"[a-z-]+\.amazonaws\.com"')
    for file in sorted(INFRA.glob("*.tf")) + sorted(INFRA.glob("modules/**/*.tf")):
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if "error_message" not in line]
        text = "\n".join(service.sub("", line) for line in lines if "dkr" not in line and "# http" not in line)
        assert "templatefile(" not in text or file.parent.name == "document", file
        assert "arn:aws" not in text, file
        assert "amazonaws.com" not in text, file
    for document in sorted((INFRA / "documents").glob("*.json")):
        assert "arn:" not in document.read_text(encoding="utf-8"), document


@pytest.mark.parametrize("module", MODULES[1:], ids=lambda each: each.name)
def test_a_module_has_the_files_that_people_look_for(module: Path) -> None:
    for name in ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"):
        assert (module / name).exists(), name


def test_readmes_say_what_variables_and_outputs_say() -> None:
    ended = subprocess.run(
        [sys.executable, INFRA / "module-readmes", "--check"], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


def test_unchanged_plugins_make_the_same_zip(tmp_path: Path) -> None:
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    for target in (one, other):
        subprocess.run([sys.executable, INFRA / "plugins-zip", target], check=True)

    assert one.read_bytes() == other.read_bytes()
    names = zipfile.ZipFile(one).namelist()
    assert {"filebatch_plugin.py", "filebatch/feeds/feed.py", "filebatch/core/failures.json", ".airflowignore"} <= set(
        names
    )
    assert not [name for name in names if "__pycache__" in name or name.startswith("plugins/")]
