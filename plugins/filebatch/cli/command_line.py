"""What all commands share: the group, options that several have, and how faults are said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from botocore.exceptions import BotoCoreError, ClientError

from filebatch.cli.place import Place, here
from filebatch.core import clock
from filebatch.core.errors import FilebatchError
from filebatch.core.records import FileState
from filebatch.queries.files import Wanted

NOTHING_FOUND = 3

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


def with_common(command: F) -> F:
    """Add what each command has: the shell's place, the option `--json`, and faults that are said plainly."""
    found: Any = click.pass_obj(told_plainly(command))
    return click.option("--json", "json_", is_flag=True, help="print JSON")(found)  # type: ignore[no-any-return]


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


def wanted_of(place: Place, *, state: str | None, code: str, since: datetime | None, key: str) -> Wanted:
    """Return which files the options mean."""
    return Wanted(FileState(state.upper()) if state else None, code.strip(), since, whole_key(place, key))


def whole_key(place: Place, given: str) -> str:
    """Return a key as S3 has it from what people paste: an s3:// URL of the bucket, spaces around."""
    return exact_key(place, given.strip())


def exact_key(place: Place, given: str) -> str:
    """Return a key, or that of an s3:// URL of the bucket, with the spaces around it: they may be the key's own."""
    bucket = f"s3://{place.settings.new_files}/"
    if given.startswith("s3://") and not given.startswith(bucket):
        raise click.UsageError(f"expected a key, or a URL that begins with {bucket}; found {given!r}")
    return given.removeprefix(bucket)
