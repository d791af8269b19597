"""The part of a document that a program writes: what stands between two marks."""

from __future__ import annotations

from pathlib import Path


def into(document: str, name: str, text: str) -> str:
    """Return a document with a text between `<!-- name -->` and `<!-- /name -->`.

    Raises:
        ValueError: it lacks a mark.
    """
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, begun, rest = document.partition(first)
    _, ended, behind = rest.partition(last)
    if not (begun and ended):
        raise ValueError(f"expected {first} and then {last} in the document")
    return f"{before}{first}\n{text}\n{last}{behind}"


def write(document: Path, name: str, text: str) -> None:
    """Put a text into a file's part; ValueError, with the file's name, where it lacks a mark."""
    try:
        document.write_text(into(document.read_text(encoding="utf-8"), name, text), encoding="utf-8")
    except ValueError as error:
        raise ValueError(f"{document}: {error}") from error
