"""The part of a document that a program writes: what stands between two marks."""

from __future__ import annotations

from pathlib import Path


def write(document: Path, name: str, text: str) -> None:
    """Put a text between `<!-- name -->` and `<!-- /name -->`; ValueError where the document lacks a mark."""
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, begun, rest = document.read_text(encoding="utf-8").partition(first)
    _, ended, behind = rest.partition(last)
    if not (begun and ended):
        raise ValueError(f"{document}: expected {first} and then {last}")
    document.write_text(f"{before}{first}\n{text}\n{last}{behind}", encoding="utf-8")
