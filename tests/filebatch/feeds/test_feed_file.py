"""Feed files that are hostile, broken or no files: each is told soon, in a sentence, and harms no other feed."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filebatch.feeds import feed_file
from filebatch.feeds.feed import load_feeds

FIELDS = "prefix: orders/\nstart: 2026-01-01\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "aliases that unfold to a thousand million": (BOMB, "anchors (&) and aliases (*) aren't taken"),
    "an anchor that nobody names": (FIELDS + "options: &x {}", "anchors"),
    "an alias of itself": ("options: &x [*x]", "anchors"),
    "lists in lists": (FIELDS + f"options: {'[' * 60_000}", "nested more than 20 deep"),
    "mappings in mappings": (FIELDS + f"options: {'{a: ' * 10_000}", "nested more than 20 deep"),
    "a field that is there twice": (FIELDS + "prefix: returns/", "prefix more than once"),
    "an option that is there twice": (FIELDS + "options: {a: 1, b: 2, 'a': 3}", "a more than once"),
    "a list as a field's name": ("? [a]\n: 1", "unhashable key"),
    "too much": (FIELDS + "#" * feed_file.MAX_BYTES, "at most 65536 bytes, found more"),
    "a number that can't be written": (FIELDS + f"timeout: 0x{'f' * 60_000}", "whole number such as 1024, found 0xff"),
    "a number by sixties that is too large": (f"a: {'1:' * 20_000}1.5", "OverflowError"),
    "a tag on what is none": ("!!int ''", "tags (!) aren't taken"),
    "a text that no rule would see": (FIELDS + "image: !!binary YnVzeWJveA==", "tags (!) aren't taken"),
    "a tag on a list": (FIELDS + "options: {a: !!set [x]}", "tags (!) aren't taken"),
    "Python": ("!!python/object/apply:os.system ['true']", "tags (!) aren't taken"),
    "a number that Terraform reads as another": (FIELDS + "timeout: 02000", "whole number such as 1024, found 02000"),
    "a number that Terraform reads as text": (FIELDS + "memory: 2_048", "whole number such as 1024, found 2_048"),
    "a merge": (FIELDS + "packing: {<<: {files: 1}, claim: 2}", "merge keys (<<) aren't taken"),
    "two documents": (f"{FIELDS}---\n{FIELDS}", "expected a single document"),
    "half a pair of surrogates": (FIELDS + 'description: "\\ud800"', "description: expected one line"),
    "a name of pages": (FIELDS + f"? {'x' * 60_000}\n: 1", "an unknown one"),
    "a text of pages": (FIELDS + f"image: {'x' * 60_000}", "image: expected a container image"),
}


def write(folder: Path, text: str, name: str = "orders.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def told(folder: Path) -> str:
    """Return the one error of the folder, in which another feed is well."""
    write(folder, "prefix: well/\nstart: 2026-01-01\n", "well.yaml")
    feeds, (error,) = load_feeds(folder)
    assert [feed.name for feed in feeds] == ["well"]
    return str(error)


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_its_own_fault_told_soon_and_in_a_sentence(tmp_path, what):
    text, expected = HOSTILE[what]
    write(tmp_path, text)
    began = time.process_time()
    error = told(tmp_path)
    assert error.startswith("orders.yaml: ")
    assert expected in error
    assert len(error) < 1000
    assert time.process_time() - began < 10


@pytest.mark.parametrize("kind", ["a link", "a broken link", "a folder", "a pipe"])
def test_what_is_no_file_is_not_opened(tmp_path, tmp_path_factory, kind):
    file = tmp_path / "orders.yaml"
    if kind == "a folder":
        file.mkdir()
    elif kind == "a pipe":
        os.mkfifo(file)
    else:
        target = write(tmp_path_factory.mktemp("other"), FIELDS) if kind == "a link" else tmp_path / "nowhere"
        file.symlink_to(target)
    found = "a link" if "link" in kind else "something else"
    assert told(tmp_path) == f"orders.yaml: expected a regular file, found {found}"


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("deep"), ZeroDivisionError("odd")])
def test_whatever_reading_a_file_causes_is_that_files_fault(tmp_path, monkeypatch, error):
    read = feed_file.read

    def fails(file: Path) -> object:
        if file.stem == "orders":
            raise error
        return read(file)

    monkeypatch.setattr(feed_file, "read", fails)
    write(tmp_path, FIELDS)
    assert told(tmp_path) == f"orders.yaml: expected a feed, found {error!r}"


TAGS = [
    "!!int",
    "!!float",
    "!!bool",
    "!!timestamp",
    "!!binary",
    "!!set",
    "!!omap",
    "!!pairs",
    "!!null",
    "!!map",
    "!!seq",
    "!x",
]
SCRAPS = st.sampled_from(
    [
        *TAGS,
        "&a",
        "*a",
        "<<:",
        "prefix:",
        "start:",
        "? ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "\n",
        "  ",
        "'",
        '"',
        "|\n",
        "1:1",
        "0x",
        "a",
    ]
)


@given(st.lists(SCRAPS, max_size=15).map(" ".join))
def test_any_scraps_of_yaml_are_a_feed_or_an_error_of_their_own(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("feeds", numbered=True)
    write(folder, FIELDS + text)
    write(folder, "prefix: well/\nstart: 2026-01-01\n", "well.yaml")
    feeds, errors = load_feeds(folder)
    assert "well" in [feed.name for feed in feeds]
    assert len(feeds) + len(errors) == 2
