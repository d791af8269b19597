"""Reading a feed file: a small piece of plain YAML, of which no part can grow into more than is written."""

from __future__ import annotations

import re
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from filebatch.core.errors import FeedError, Problem

MAX_BYTES = 2**16
MAX_DEPTH = 20


class _Plain(yaml.SafeLoader):
    """YAML without aliases, which may unfold to any size, and without a field twice, of which one would be lost."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise yaml.composer.ComposerError(None, None, "anchors (&) and aliases (*) aren't taken", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise yaml.composer.ComposerError(None, None, "tags (!) aren't taken", event.start_mark)
        if self._depth == MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, f"nested more than {MAX_DEPTH} deep", event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = Counter(name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode))
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"{', '.join(twice)} more than once", node.start_mark)
        if "<<" in names:
            raise yaml.constructor.ConstructorError(None, None, "merge keys (<<) aren't taken", node.start_mark)
        return super().construct_mapping(node, deep=deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Refuse 010, 0x1f and 1_000, which Terraform's YAML reads as other numbers, or as text."""
        if re.match(r"[-+]?0.|.*_", node.value):
            raise yaml.constructor.ConstructorError(
                None, None, f"expected a whole number such as 1024, found {node.value[:40]}", node.start_mark
            )
        return int(super().construct_yaml_int(node))


_Plain.add_constructor("tag:yaml.org,2002:int", _Plain.construct_yaml_int)


def read(file: Path) -> dict[str, Any]:
    """Return the fields that a feed file has.

    Raises:
        FeedError: it's no regular file, too large, no UTF-8, or no YAML of that kind.
        Exception: a value that YAML takes for something that it isn't may cause any.
    """
    mode = file.lstat().st_mode
    if not stat.S_ISREG(mode):
        raise FeedError(file.name, Problem("", "a regular file", "a link" if stat.S_ISLNK(mode) else "something else"))
    with file.open("rb") as opened:
        content = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise FeedError(file.name, Problem("", f"at most {MAX_BYTES} bytes", "more"))
    try:
        document = _Plain(content.decode("utf-8")).get_single_data()
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise FeedError(file.name, Problem("", "YAML in UTF-8", " ".join(str(error).split()))) from error
    if not isinstance(document, dict):
        raise FeedError(file.name, Problem("", "a mapping of fields", type(document).__name__))
    return document
