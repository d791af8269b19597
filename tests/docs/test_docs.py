"""What the documents say holds: their commands exist, their links lead somewhere, their YAML is a feed."""

import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from filebatch.feeds.feed import Feed
from filebatch_worker.processors.command.options import CommandOptions
from filebatch_worker.processors.tabular.options import TabularOptions

ROOT = Path(__file__).parents[2]
LAYERS = ("core", "feeds", "intake", "runs", "queries", "cli", "web")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(), re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_named_exists(document: Path) -> None:
    prose = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    quoted = [*re.findall(r"`(make [^`]+)`", prose), *"".join(blocks(document, "sh")).splitlines()]
    named = {found for text in quoted for found in re.findall(r"(?:^|\()make (?:-s )?([a-z][a-z-]+)", text)}

    assert named <= TARGETS


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if not link.startswith("http"):
            assert (document.parent / link).exists(), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_is_named_as_proof_exists(document: Path) -> None:
    for named in re.findall(r"`((?:tests|infra/tests)/[\w/.-]+)`", document.read_text()):
        assert (ROOT / named).exists(), named
    for name in re.findall(r"`(test_\w+\.py)`", document.read_text()):
        assert list((ROOT / "tests").rglob(name)), name


# What GNU's tools take and those of macOS don't.
GNU_ONLY = (
    r"\bdate -d|\bsed -i |\breadlink -f|\bstat -c|\bxargs -r|\bgrep -P|\bbase64 -w|\b(?:sha256sum|md5sum|mapfile|ss) "
)


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, *ROOT.glob("infra/**/README.md")], ids=lambda path: str(path.parent.name)
)
def test_commands_are_those_of_macos_too(document: Path) -> None:
    commands = "".join(re.findall(r"```(?:sh)?\n(.*?)```", document.read_text(), re.DOTALL))

    assert re.findall(GNU_ONLY, commands) == []


def test_the_readmes_feed_is_a_feed() -> None:
    (text,) = blocks(ROOT / "README.md", "yaml")

    feed = Feed(name="orders", **yaml.safe_load(text))

    assert feed.matches("orders/2026-01-02/shop-1.csv")


def test_the_feed_reference_has_every_field() -> None:
    text = (ROOT / "docs" / "feeds.md").read_text()

    for name in Feed.model_fields:
        assert name == "name" or re.search(rf"`{name}[`.]", text), name


def test_the_processor_reference_has_every_option_of_tables() -> None:
    text = (ROOT / "docs" / "processors.md").read_text()

    for option in fields(TabularOptions):
        assert f"| `{option.name}` |" in text, option.name


def test_the_processor_reference_has_every_option_of_commands() -> None:
    text = (ROOT / "docs" / "processors.md").read_text().partition("## `command`")[2]

    for option in fields(CommandOptions):
        assert f"| `{option.name}` |" in text, option.name


def test_a_processor_of_ones_own_is_tried_as_the_reference_says(tmp_path: Path) -> None:
    document = ROOT / "docs" / "processors.md"
    code, *_ = blocks(document, "python")
    (command,) = blocks(document, "sh")
    package, feeds = tmp_path / "processors" / "acme", tmp_path / "dags" / "feeds"
    for folder in (package, feeds):
        folder.mkdir(parents=True)
    (package / "lines.py").write_text(code)
    (feeds / "lines.yaml").write_text("prefix: lines/\nstart: 2026-01-01\nprocessor: acme.lines:count_lines\n")
    for name in ("Makefile", "infra", "plugins", "tools", "worker", "samples", ".venv", ".venv-worker"):
        (tmp_path / name).symlink_to(ROOT / name)

    ended = subprocess.run(["/bin/sh", "-ec", command], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    lines = (ROOT / "samples" / "airports.csv").read_bytes().count(b"\n")
    assert f"rows      {lines}\n" in ended.stdout
    assert f"lines.txt:\n  {lines}\n" in ended.stdout


def test_the_architecture_names_every_plain_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()

    library = ROOT / "plugins" / "filebatch"
    for module in [*library.glob("*.py"), *(each for layer in LAYERS for each in (library / layer).glob("*.py"))]:
        assert module.stem in {"__init__", "__main__"} or f"`{module.name}`" in text, module.name


def test_the_makefile_says_what_each_target_does() -> None:
    ended = subprocess.run(["/usr/bin/env", "make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True)

    for target in ("demo", "aws", "up", "down", "test", "audit"):
        assert re.search(rf"^{target}\s+\w", ended.stdout, re.MULTILINE), target
