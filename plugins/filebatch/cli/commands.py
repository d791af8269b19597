"""The commands. What they print is on stdout alone, faults are on stderr; docs/cli.md says what each is for.

Exit codes: 0 done, 1 it couldn't be done, 2 a wrong command line, 3 nothing was found.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click
from botocore.exceptions import BotoCoreError, ClientError

from filebatch.cli import acting, show
from filebatch.cli.airflow_api import Airflow
from filebatch.cli.place import Place, here
from filebatch.core import clock
from filebatch.core.errors import FilebatchError
from filebatch.core.listed import ListedFile
from filebatch.core.records import FileState
from filebatch.feeds.feed import Feed
from filebatch.queries import advice, current, documents, overview, story, verbs
from filebatch.queries import audit as auditing
from filebatch.queries import files as finding
from filebatch.queries.files import Wanted
from filebatch.runs import relisting

NOTHING_FOUND = 3
PAGES = 200  # that one command looks at before it says where to go on

F = TypeVar("F", bound=Callable[..., Any])


class Moment(click.ParamType):
    """A date or time in UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it, or fail with an example."""
        try:
            return clock.parse_utc(value)
        except ValueError:
            self.fail(
                f"expected a date or time such as 2026-01-02 or 2026-01-02T03:04:05Z, found {value!r}", param, ctx
            )


def with_filters(command: F) -> F:
    """Add the options that say which files are meant."""
    options = (
        click.option("--state", type=click.Choice([str(state) for state in FileState], case_sensitive=False)),
        click.option("--code", default="", help="only files that are INVALID or FAILED for this reason"),
        click.option("--since", type=Moment(), help="only files in their state since then or later, UTC"),
        click.option("--key", default="", help="part of the key; s3:// URLs and spaces around are taken off"),
    )
    for option in reversed(options):
        command = option(command)
    return command


def as_json(command: F) -> F:
    """Add the option `--json`."""
    return click.option("--json", "json_", is_flag=True, help="print JSON")(command)


def told_plainly(command: F) -> F:
    """Say on stderr what went wrong, without a traceback, and end with 1."""

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except (FilebatchError, ClientError, BotoCoreError) as error:
            raise click.ClickException(str(error)) from error

    return wrapped  # type: ignore[return-value]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--feeds", type=click.Path(path_type=Path, exists=True), help="folder of feed files")
@click.pass_context
@told_plainly
def main(ctx: click.Context, feeds: Path | None) -> None:
    """Find every file, read why it is as it is, and have it done again."""
    ctx.obj = here(feeds)
    for problem in ctx.obj.problems:
        click.echo(f"feed left out: {problem}", err=True)


@main.command("feeds")
@as_json
@click.pass_obj
@told_plainly
def feeds_(place: Place, *, json_: bool) -> None:
    """Say how feeds are doing: files by state, since when the oldest waits, when the last one came."""
    found = [overview.of_feed(place.ctx(feed)) for feed in place.feeds]
    if json_:
        show.as_json([documents.of_feed(each) for each in found])
    else:
        show.feeds(found)


@main.command("files")
@click.option("--feed", "name", help="only of this feed")
@with_filters
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="at most so many of each feed")
@as_json
@click.pass_obj
@told_plainly
def files_(place: Place, /, *, name: str | None, limit: int, json_: bool, **filters: Any) -> None:
    """List files, those first that need people most: FAILED, INVALID, CLAIMED, ARRIVED, SUCCEEDED."""
    wanted, feeds = wanted_of(place, **filters), [place.feed(name)] if name else place.feeds
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
@as_json
@click.pass_obj
@told_plainly
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
@as_json
@click.pass_obj
@told_plainly
def results_(place: Place, name: str, *, sql: bool, rebuild: bool, json_: bool) -> None:
    """Say where the current results of FEED are: of each key the newest version that has SUCCEEDED."""
    ctx = place.ctx(place.feed(name))
    if rebuild:
        click.echo(f"{current.rebuild(ctx)} keys looked up", err=True)
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
            as_json,
            click.pass_obj,
            told_plainly,
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
    found = acting.meant(ctx, verb, wanted)
    if not found.files:
        click.echo(f"there is no file to {verb.name}: {verb.meaning}", err=True)
        raise click.exceptions.Exit(NOTHING_FOUND)
    done = acting.act(ctx, verb, wanted, found, reason.strip(), None if dry_run else Airflow.here())
    if json_:
        show.as_json(done)
    else:
        show.acted(done)


@main.command()
@click.pass_obj
@told_plainly
def audit(place: Place) -> None:
    """Compare bucket, ledger and results of all feeds: lost, doubled, untrue, stuck; ends with 1 where any is."""
    result = auditing.audit(place.feeds, place.settings, place.connect("s3"), place.connect("dynamodb"))
    click.echo(f"audited: {place.settings.environment} in {place.settings.region}", err=True)
    click.echo(str(result))
    if result.findings or place.problems:
        raise click.exceptions.Exit(1)


@main.command()
@click.pass_obj
@told_plainly
def index(place: Place) -> None:
    """List the files that came before the ledger had its index of all files; once, after an update."""
    if not place.feeds:
        raise click.ClickException("there is no feed")
    click.echo(f"{relisting.relist(place.ctx(place.feeds[0]).ledger)} files listed")


def wanted_of(place: Place, *, state: str | None, code: str, since: datetime | None, key: str) -> Wanted:
    """Return which files the options mean."""
    return Wanted(FileState(state.upper()) if state else None, code.strip(), since, whole_key(place, key))


def whole_key(place: Place, given: str) -> str:
    """Return a key as S3 has it from what people paste: an s3:// URL of the bucket, spaces around."""
    bucket = f"s3://{place.settings.new_files}/"
    key = given.strip()
    if key.startswith("s3://") and not key.startswith(bucket):
        raise click.UsageError(f"expected a key, or a URL that begins with {bucket}; found {key!r}")
    return key.removeprefix(bucket)


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
