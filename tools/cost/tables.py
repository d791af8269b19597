"""The tables of docs/cost.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import marked_part
from cost import model
from cost.model import Line
from filebatch.runs import prices

REGIONS = ("us-east-1", "eu-central-1")
MEANS = {
    "dynamodb.PutItem": "its arrival is recorded",
    "dynamodb.UpdateItem": "it is claimed; it is settled; that something came, once for ten",
    "dynamodb.GetItem": "is it still this claim's, before the commit",
    "s3.GetObject": "the worker fetches it",
    "s3.PutObject": "`data.parquet`, `profile.json`, `_result.json` last",
}


def all_of(calls: Mapping[str, float]) -> dict[str, list[str]]:
    """Return each table's lines by its name."""
    return {
        "calls": list(of_calls(calls)),
        "idle": list(of_bill({f"feeds: {feeds}": model.idle(feeds) for feeds in (1, 10, 100)})),
        "loads": list(of_loads(calls)),
        "load": list(of_bill({load.what: model.ours(load, calls) for load in model.LOADS})),
        "prices": list(of_prices()),
    }


def of_calls(calls: Mapping[str, float]) -> Iterator[str]:
    """Yield a small file's calls."""
    yield "| call | a file | why |"
    yield "|---|---|---|"
    for name, number in sorted(calls.items()):
        yield f"| {name} | {number:g} | {MEANS[name]} |"
    yield f"| **its own** | **{sum(calls.values()):g}** | |"


def of_bill(bills: Mapping[str, Sequence[Line]]) -> Iterator[str]:
    """Yield bills side by side, in USD of the first region, with the sums of all regions."""
    yield f"| USD in {REGIONS[0]} | " + " | ".join(bills) + " |"
    yield "|---" * (len(bills) + 1) + "|"
    for lines in zip(*bills.values(), strict=True):
        yield f"| {lines[0].what} | " + " | ".join(_usd(line.usd(REGIONS[0])) for line in lines) + " |"
    for region in REGIONS:
        sums = (f"**{_usd(model.total(bill, region))}**" for bill in bills.values())
        yield f"| **all, {region}** | " + " | ".join(sums) + " |"


def of_loads(calls: Mapping[str, float]) -> Iterator[str]:
    """Yield what a million files cost, beside others."""
    region = REGIONS[0]
    yield "| a million files | filebatch | of which containers | a Lambda a file | Snowpipe |"
    yield "|---|---|---|---|---|"
    for load in model.LOADS:
        bill = model.ours(load, calls)
        shown = (
            model.total(bill, region),
            model.total(bill[:2], region),
            model.total(model.a_lambda_each(load), region),
            model.snowpipe(load),
        )
        yield f"| {load.what} | " + " | ".join(_usd(each) for each in shown) + " |"


def of_prices() -> Iterator[str]:
    """Yield the price table."""
    yield "| price | " + " | ".join(REGIONS) + " | AWS's page | compared with |"
    yield "|---" * (len(REGIONS) + 3) + "|"
    for name, row in prices.document()["prices"].items():
        shown = (f"{row[region]:g}" if region in row else "" for region in REGIONS)
        yield f"| `{name}` | " + " | ".join(shown) + f" | {row['source']} | {_compared(row)} |"


def _compared(row: Mapping[str, Any]) -> str:
    """Return with what the prices of each region were compared, and when that said so."""
    found = {region: row["checked"].get(region, "").split(" ") for region in REGIONS if region in row}
    told = (
        f"{region}: [{date}]({where[0]})" if where else f"{region}: nothing" for region, (date, *where) in found.items()
    )
    return ", ".join(told)


def _usd(value: float) -> str:
    return f"{value:,.2f}"


def into(document: str, tables: Mapping[str, Sequence[str]]) -> str:
    """Return a document with each table between its marks, `<!-- cost: NAME -->` and `<!-- /cost: NAME -->`.

    Raises:
        ValueError: it has no place for one.
    """
    for name, lines in tables.items():
        document = marked_part.into(document, f"cost: {name}", "\n".join(lines))
    return document
