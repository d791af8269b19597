"""Terraform runs what a mirror holds: only what is recorded here is taken, and only from where root alone writes."""

import hashlib
import os
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from infra.terraform import ROOT

SCRIPT = ROOT / "infra" / "provider-mirror"
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can make files that root owns")


@pytest.fixture
def mirrors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("provider_mirror", str(SCRIPT))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setattr(module, "RECORDED", tmp_path / "recorded.sha256")
    return module


def mirror(folder: Path, content: bytes = b"#!/bin/sh\n: > ran\n") -> Path:
    program = folder / "registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64/terraform-provider-aws_v5.100.0_x5"
    program.parent.mkdir(parents=True)
    program.write_bytes(content)
    program.chmod(0o755)
    return program


def record(module: ModuleType, program: Path) -> None:
    module.RECORDED.write_text(f"{hashlib.sha256(program.read_bytes()).hexdigest()}  {program.name}\n")


@needs_root
def test_a_mirror_that_root_alone_can_have_put_there_is_found(mirrors: ModuleType, tmp_path: Path) -> None:
    mirror(tmp_path / "opt" / "terraform")

    assert list(mirrors.found(tmp_path)) == [tmp_path / "opt" / "terraform"]


@needs_root
@pytest.mark.parametrize("place", ["opt", "opt/terraform", "opt/terraform/registry.terraform.io/hashicorp/aws"])
def test_one_in_a_folder_that_others_may_write_to_is_passed_over(
    mirrors: ModuleType, tmp_path: Path, place: str
) -> None:
    mirror(tmp_path / "opt" / "terraform")
    (tmp_path / place).chmod(0o777)

    assert list(mirrors.found(tmp_path)) == []


@needs_root
def test_one_with_a_file_of_somebody_elses_or_a_link_is_passed_over(mirrors: ModuleType, tmp_path: Path) -> None:
    os.chown(mirror(tmp_path / "opt" / "theirs"), 65534, 65534)
    link = mirror(tmp_path / "opt" / "linked")
    link.rename(tmp_path / "program")
    link.symlink_to(tmp_path / "program")

    assert list(mirrors.found(tmp_path)) == []


def test_what_the_repository_records_is_taken(mirrors: ModuleType, tmp_path: Path) -> None:
    record(mirrors, mirror(tmp_path / "terraform"))

    mirrors.check(tmp_path / "terraform")


def test_a_file_that_is_not_recorded_is_refused_and_says_what_to_do(mirrors: ModuleType, tmp_path: Path) -> None:
    program = mirror(tmp_path / "terraform")
    record(mirrors, program)
    (program.parent / "terraform-provider-aws_v5.100.1_x5").write_bytes(b"another")

    with pytest.raises(
        mirrors.Refused, match=r"x5: expected a SHA-256 that recorded\.sha256 records, found [0-9a-f]{64}"
    ):
        mirrors.check(tmp_path / "terraform")


def test_a_link_is_refused_whatever_it_leads_to(mirrors: ModuleType, tmp_path: Path) -> None:
    program = mirror(tmp_path / "terraform")
    record(mirrors, program)
    (program.parents[1] / "darwin_arm64").symlink_to(program.parent)

    with pytest.raises(mirrors.Refused, match="found a link"):
        mirrors.check(tmp_path / "terraform")


def test_a_folder_that_holds_no_provider_is_refused(mirrors: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(mirrors.Refused, match="found no file there"):
        mirrors.check(tmp_path)


def test_a_named_mirror_that_is_not_the_recorded_one_ends_the_checks(tmp_path: Path) -> None:
    mirror(tmp_path)
    environment = {**os.environ, "TF_PLUGIN_DIR": str(tmp_path)}

    ended = subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "terraform-provider-aws_v5.100.0_x5: expected a SHA-256" in ended.stderr
