"""The commands. What they print is on stdout alone, faults are on stderr; docs/cli.md says what each is for.

Exit codes: 0 done, 1 it couldn't be done, 2 a wrong command line, 3 nothing was found.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from typing import Any

import click

from filebatch.cli import acting, operations, show
from filebatch.cli.airflow_api import Airflow
from filebatch.cli.command_line import NOTHING_FOUND, F, main, wanted_of, whole_key, with_common, with_filters
from filebatch.cli.place import Place
from filebatch.core import clock
from filebatch.core.listed import ListedFile
from filebatch.feeds.feed import Feed
from filebatch.queries import advice, current, documents, overview, story, verbs
from filebatch.queries import audit as auditing
from filebatch.queries import files as finding
from filebatch.queries.files import Wanted
from filebatch.runs import relisting

__all__ = ["main"]

PAGES = 200  # that one command looks at before it says where to go on

for each in operations.COMMANDS:
    main.add_command(each)


@main.command("feeds")
@with_common
def feeds_(place: Place, *, json_: bool) -> None:
    """Say how feeds are doing: files by state, since when the oldest waits, when the last one came."""
    found = [overview.of_feed(place.ctx(feed)) for feed in place.feeds]
    if json_:
        show.as_json([documents.of_feed(each) for each in found])
    else:
        show.feeds(found)


@main.command()
@click.option("--every", default=5.0, show_default=True, type=click.FloatRange(0), help="seconds between two looks")
@click.option("--times", default=0, type=click.IntRange(0), help="how often to look; 0 until it is interrupted")
@with_common
def watch(place: Place, *, every: float, times: int, json_: bool) -> None:
    """Say how feeds are doing again and again; with --json an object a line."""
    looked = 0
    while True:
        found = [overview.of_feed(place.ctx(feed)) for feed in place.feeds]
        if json_:
            show.as_line({"at": clock.to_iso(clock.now()), "feeds": [documents.of_feed(each) for each in found]})
        else:
            show.anew()
            show.feeds(found)
        looked += 1
        if looked == times:
            return
        time.sleep(every)


@main.command("files")
@click.option("--feed", "name", help="only of this feed")
@with_filters
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="at most so many of each feed")
@with_common
def files_(place: Place, /, *, name: str | None, limit: int, json_: bool, **filters: Any) -> None:
    """List files, those first that need people most: FAILED, INVALID, CLAIMED, ARRIVED, SUCCEEDED."""
    wanted, feeds = wanted_of(place, **filters), [place.feed(name)] if name else place.feeds
    with show.busy("searching"):
        found = [file for feed in feeds for file in some_of(place, feed, wanted, limit)]
    if json_:
        show.as_json([documents.of_file(file) for file in found])
    elif found:
        show.files(found)
    if not found:
        click.echo("no such file in the ledger; of one key `filebatch why KEY` says why", err=True)
        raise click.exceptions.Exit(NOTHING_FOUND)


@main.command()
@click.argument("key")
@with_common
def why(place: Place, key: str, *, json_: bool) -> None:
    """Say what became of the file KEY, why, and what to do next; KEY may be an s3:// URL."""
    wanted = whole_key(place, key)
    feed = story.feed_of(place.feeds, wanted)
    if feed is None:
        found = advice.of_no_feed(wanted, place.feeds)
    else:
        found = advice.of_story(story.of_key(place.ctx(feed), wanted), clock.now())
    if json_:
        show.as_json(documents.of_told(found))
    else:
        show.told(found)


@main.command("results")
@click.argument("name", metavar="FEED")
@click.option("--sql", is_flag=True, help="print a view for DuckDB")
@click.option("--rebuild", is_flag=True, help="first make them anew from the ledger, which they are older than")
@with_common
def results_(place: Place, name: str, *, sql: bool, rebuild: bool, json_: bool) -> None:
    """Say where the current results of FEED are: of each key the newest version that has SUCCEEDED."""
    ctx = place.ctx(place.feed(name))
    if rebuild:
        with show.busy("looking up all keys"):
            keys = current.rebuild(ctx)
        click.echo(f"{keys} keys looked up", err=True)
    found = current.outputs(ctx)
    if json_:
        show.as_json(found)
    elif sql and found:
        show.view(name, show.tables(found))
    else:
        show.paths(found)
    if not found:
        click.echo(
            f"no run of {name} has said yet that a file has succeeded; --rebuild looks into the ledger", err=True
        )
        raise click.exceptions.Exit(NOTHING_FOUND)


def act(verb: verbs.Verb) -> Callable[[F], F]:
    """Add what the commands have that start runs."""

    def decorate(command: F) -> F:
        options = (
            main.command(verb.name, help=verb.meaning),
            click.argument("feed"),
            with_filters,
            click.option("--dry-run", is_flag=True, help="only say how many files, bytes and units it would be"),
            click.option("--reason", required=True, help="why; it stays with the run and with each file"),
            with_common,
        )
        decorated: Any = command
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


@act(verbs.RETRY)
def retry(place: Place, **options: Any) -> None:
    """Try failed files again."""
    _act(place, verbs.RETRY, **options)


@act(verbs.REDO)
def redo(place: Place, **options: Any) -> None:
    """Do settled files again."""
    _act(place, verbs.REDO, **options)


@act(verbs.RELEASE)
def release(place: Place, **options: Any) -> None:
    """Give back files whose job has ended."""
    _act(place, verbs.RELEASE, **options)


def _act(place: Place, verb: verbs.Verb, *, feed: str, dry_run: bool, reason: str, json_: bool, **filters: Any) -> None:
    if not reason.strip():
        raise click.UsageError("--reason: expected a sentence, found nothing")
    ctx, wanted = place.ctx(place.feed(feed)), wanted_of(place, **filters)
    if verb.force and not (wanted.key or wanted.state or wanted.code or wanted.since):
        raise click.UsageError("expected --key, --code or --since: everything isn't done again")
    with show.busy("looking which files are meant"):
        found = acting.meant(ctx, verb, wanted)
    if not found.files:
        states = " or ".join(verb.states)
        click.echo(f"nothing to {verb.name}: no file that was asked for is {states}", err=True)
        raise click.exceptions.Exit(NOTHING_FOUND)
    done = acting.act(ctx, verb, wanted, found, reason.strip(), None if dry_run else Airflow.here())
    if json_:
        show.as_json(done)
    else:
        show.acted(done)


@main.command()
@with_common
def audit(place: Place, *, json_: bool) -> None:
    """Compare bucket, ledger and results of all feeds: lost, doubled, untrue, stuck; ends with 1 where any is."""
    with show.busy("listing bucket, ledger and results"):
        result = auditing.audit(place.feeds, place.settings, place.connect("s3"), place.connect("dynamodb"))
    click.echo(f"audited: {place.settings.environment} in {place.settings.region}", err=True)
    if json_:
        show.as_json(show.of_audit(result))
    else:
        click.echo(str(result))
    if result.findings or place.problems:
        raise click.exceptions.Exit(1)


@main.command()
@with_common
def index(place: Place, *, json_: bool) -> None:
    """List the files that came before the ledger had its index of all files; once, after an update."""
    if not place.feeds:
        raise click.ClickException("there is no feed")
    with show.busy("reading the ledger"):
        listed = relisting.relist(place.ctx(place.feeds[0]).ledger)
    if json_:
        show.as_json({"listed": listed})
    else:
        click.echo(f"{listed} files listed")


def some_of(place: Place, feed: Feed, wanted: Wanted, limit: int) -> list[ListedFile]:
    """Return at most `limit` of a feed's files; where many pages bring too few, stderr says that there is more."""
    found: list[ListedFile] = []
    for page in islice(finding.pages(place.ctx(feed), wanted, size=min(limit, finding.MAX_PAGE)), PAGES):
        found.extend(page.files)
        if len(found) >= limit or page.more is None:
            break
    else:
        click.echo(f"feed {feed.name}: there is more than was looked at; narrow it by --state or --since", err=True)
    return found[:limit]
