"""The ledger's table, for tables in memory: as infra/documents/ledger.json defines it for AWS and the local one."""

from collections.abc import Mapping
from typing import Any

from aws import DOCUMENTS
from filebatch_local.provision.documents import render

Shown = frozenset[str] | None  # names of attributes; None for all


def definition(name: str = "ledger") -> Mapping[str, Any]:
    """Return CreateTable's arguments."""
    found: Mapping[str, Any] = render(DOCUMENTS, "ledger", name=name)
    return found


def keys(schema: list[Mapping[str, str]]) -> list[str]:
    """Return the attributes of a key, the partition's first."""
    return [each["AttributeName"] for kind in ("HASH", "RANGE") for each in schema if each["KeyType"] == kind]


def shown(table: Mapping[str, Any], index: Mapping[str, Any]) -> Shown:
    """Return which attributes of an item one of a table's indexes has.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Projection.html
    """
    projection = index["Projection"]
    if projection["ProjectionType"] == "ALL":
        return None
    return frozenset([*keys(table["KeySchema"]), *keys(index["KeySchema"]), *projection.get("NonKeyAttributes", ())])


def projected(item: Mapping[str, Any], names: Shown) -> dict[str, Any]:
    """Return an item as an index that shows these attributes has it."""
    return {name: value for name, value in item.items() if names is None or name in names}
