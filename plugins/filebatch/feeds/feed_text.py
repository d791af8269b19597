"""What the text of each field of a feed may be.

The patterns are data, as Terraform holds each feed to them as well (`infra/modules/feeds`), and in the one language
that both have, RE2: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import re2

RULES: Mapping[str, Mapping[str, Any]] = json.loads(
    Path(__file__).with_name("feed-text.json").read_text(encoding="utf-8")
)


def fits(field: str, text: str) -> bool:
    """Tell whether a text may be a field's."""
    rule = RULES[field]
    try:
        return len(text) <= rule.get("longest", len(text)) and re2.fullmatch(rule["pattern"], text) is not None
    except UnicodeEncodeError:  # half a surrogate pair is no text
        return False


def checked(field: str, value: Any) -> Any:
    """Return what may be a field's value, or is no text at all; ValueError says what is expected."""
    if isinstance(value, bytes) or (isinstance(value, str) and not fits(field, value)):
        raise ValueError(RULES[field]["expected"])
    return value
