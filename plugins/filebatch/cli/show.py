"""What the command line prints: JSON, which programs read, or tables and sentences for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from filebatch.core.listed import ListedFile
from filebatch.core.wording import visible
from filebatch.queries.advice import Told
from filebatch.queries.audit import Audit
from filebatch.queries.overview import Overview
from filebatch.runs.current_results import Line

COLOURS = {"FAILED": "red", "INVALID": "magenta", "CLAIMED": "cyan", "ARRIVED": "yellow", "SUCCEEDED": "green"}


def as_json(value: Any) -> None:
    """Print a value as JSON; keys are exactly as S3 has them, and no character of theirs can act on a terminal."""
    click.echo(json.dumps(value, indent=2))


def as_line(value: Any) -> None:
    """Print a value as one line of JSON."""
    click.echo(json.dumps(value))


def value(found: Mapping[str, Any], *, json_: bool) -> None:
    """Print names with their values, as JSON or a line each."""
    if json_:
        as_json(found)
    else:
        acted(found)


def anew() -> None:
    """Clear a terminal; what isn't one is left as it is."""
    _console().clear()


def busy(what: str) -> AbstractContextManager[object]:
    """Return a context in which a terminal says, on stderr, that something goes on and for how long; a pipe nothing."""
    terminal = Console(stderr=True, markup=False, highlight=False, emoji=False)
    if not terminal.is_terminal:
        return nullcontext()
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    shown = Progress(*columns, console=terminal, transient=True)
    shown.add_task(what, total=None)
    return shown


def of_audit(found: Audit) -> dict[str, Any]:
    """Return what an audit found as JSON values."""
    findings = [{"kind": each.kind, "file": each.file, "what": each.what} for each in found.findings]
    return {"files": found.files, "new": found.new, "findings": findings}


def feeds(found: Iterable[Overview]) -> None:
    """Print feeds as a table, and below it why runs of some claim nothing."""
    found = list(found)
    rows = [
        (each.feed, *map(str, each.counts.values()), _pace(each), _time(each.oldest_waiting), _time(each.last_arrival))
        for each in found
    ]
    _table(("feed", *COLUMNS, "last hour", "waits since", "last came"), rows)
    for each in found:
        if each.held:
            _console().print(Text(f"{each.feed}: {each.held}"), soft_wrap=True)


def _pace(found: Overview) -> str:
    """Say how many files came to rest within the last hour, and which share of them FAILED."""
    settled, rate = sum(each.number for each in found.last_hour.values()), found.failure_rate
    return f"{settled:,}" if not rate else f"{settled:,}, {rate:.0%} failed"


COLUMNS = ("arrived", "claimed", "succeeded", "invalid", "failed")
FOLDED = {"feed", "last hour", "key"}  # of no other column a word is broken
NARROW = 100  # characters of a line
PIPE = 10_000  # characters; a key has 1,024 bytes at most


def files(found: Sequence[ListedFile]) -> None:
    """Print files as a table."""
    rows = [(str(each.state), each.code, _time(each.since), f"{each.size:,}", visible(each.key)) for each in found]
    _table(("state", "code", "since", "bytes", "key"), rows)


def told(found: Told) -> None:
    """Print what is said of a key."""
    console = _console()
    console.print(Text(f"{visible(found.key)}: {found.state}", style="bold"))
    for sentence in (*found.said, f"Next: {found.next}"):
        console.print(Text(sentence), soft_wrap=True)
    for event in found.timeline:
        run = f", run {visible(event.run_id)}" if event.run_id else ""
        console.print(Text(f"  {event.at}  {event.what}{run}", style="dim"), soft_wrap=True)


def _time(iso: str | None) -> str:
    """Return a time (UTC) to the second, in two lines where a terminal is narrow."""
    return iso[:19].replace("T", "\n" if _console().width < NARROW else " ") if iso else ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
    table = Table(box=box.SIMPLE, show_edge=False, padding=0)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column not in FOLDED)
    for row in rows:
        table.add_row(*(Text(each or "", style=COLOURS.get(each or "", "")) for each in row))
    _console().print(table)


def _console() -> Console:
    """Return the terminal, or what stands for one: text of strangers is never markup, and no link.

    A pipe or file has no width: a key in two lines couldn't be searched for.
    """
    found = Console(markup=False, highlight=False, emoji=False)
    return found if found.is_terminal else Console(markup=False, highlight=False, emoji=False, width=PIPE)


def paths(found: Iterable[Line]) -> None:
    """Print where the outputs of current results are, one a line; our own paths hold no character that acts."""
    for line in found:
        if line["uri"]:
            click.echo(line["uri"])


def tables(found: Iterable[Line]) -> list[str]:
    """Return where the Parquet tables of current results are."""
    return [line["uri"] for line in found if (line["name"] or "").endswith(".parquet")]


def view(feed: str, tables: Sequence[str]) -> None:
    """Print a view of a feed's current tables for DuckDB."""
    listed = ",\n  ".join("'" + each.replace("'", "''") + "'" for each in tables)
    name = feed.replace('"', '""')
    table = f"read_parquet([\n  {listed}\n], union_by_name = true)"
    click.echo(f'CREATE OR REPLACE VIEW "{name}" AS SELECT * FROM {table};')  # noqa: S608 - printed, with quotes doubled


def acted(found: Mapping[str, Any]) -> None:
    """Print what an act came to; of a list each value is a line of its own, to be copied."""
    for name, value in found.items():
        click.echo("\n".join((f"{name}:", *value)) if isinstance(value, list) else f"{name}: {value}")
