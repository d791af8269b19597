"""The commands that act by themselves, with the shell's AWS credentials, and that look at logs and feed files."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
from botocore.exceptions import ClientError

from filebatch.cli import show
from filebatch.cli.command_line import NOTHING_FOUND, exact_key, whole_key, with_common
from filebatch.cli.place import Place
from filebatch.core import aws_errors
from filebatch.core.errors import ConfigurationError
from filebatch.feeds.feed import Feed
from filebatch.intake import arrivals
from filebatch.intake.arrivals import Taken
from filebatch.queries import container_log, documents, feed_check, story
from filebatch.runs import forgetting, infrastructure
from filebatch.runs.context import FeedContext

DRAINS = 100  # of 30 seconds each


@click.command()
@click.argument("key")
@with_common
def logs(place: Place, key: str, *, json_: bool) -> None:
    """Print what the container that did KEY last wrote of it, and where the whole log is."""
    wanted = whole_key(place, key)
    ctx = place.ctx(_feed_of(place, wanted))
    found = container_log.of_key(ctx, wanted)
    if json_:
        show.as_json(documents.of_log(found))
    elif found:
        click.echo(f"job {found.job_id}: {found.log or 'Batch does not know it any more'}", err=True)
        for line in found.lines:
            click.echo(line)
    if not (found and found.lines):
        click.echo("no line of a log: no job has done it, or its log is gone; `filebatch why` says more", err=True)
        raise click.exceptions.Exit(NOTHING_FOUND)


@click.command()
@click.argument("name", metavar="FEED")
@click.option("--dry-run", is_flag=True, help="only say how many messages lie there")
@with_common
def redrive(place: Place, name: str, *, dry_run: bool, json_: bool) -> None:
    """Take what lies in FEED's dead-letter queue: files are recorded as if their events came now."""
    ctx = place.ctx(place.feed(name))
    queue = place.settings.dead_letters(name)
    taken, left = Taken(), _left(ctx.sqs, queue)
    if not dry_run:
        with show.busy("taking messages"):
            taken = _drained(ctx, queue)
        left = _left(ctx.sqs, queue)
    told: dict[str, Any] = {"new": taken.new, "known": taken.known, "left": left}
    told["no work"] = taken.history + taken.unmatched + taken.ignored
    show.value(told, json_=json_)
    for each in taken.named:
        click.echo(f"no work: {each}", err=True)
    if not dry_run and left:
        click.echo("what is left can't be understood as an event: docs/runbook.md, dead-letters", err=True)


def _drained(ctx: FeedContext, queue: str) -> Taken:
    taken = Taken()
    for _ in range(DRAINS):
        more = arrivals.drain(ctx.sqs, ctx.s3, queue, ctx.ledger, ctx.feed)
        taken += more
        if more == Taken():
            break
    return taken


def _left(sqs: Any, queue: str) -> int:
    """Return how many messages lie in a queue, as far as SQS tells, with those that were received a moment ago."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    try:
        answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    except ClientError as error:
        if aws_errors.code(error) not in infrastructure.NO_QUEUE:
            raise
        expected = "expected a dead-letter queue that these AWS credentials may read; `terraform apply` makes a feed's"
        raise ConfigurationError(f"{queue}: {expected}: {error}") from error
    return sum(int(answer[name]) for name in names)


@click.command()
@click.argument("key")
@click.option("--reason", required=True, help="why; it stays in the ledger")
@click.option("--dry-run", is_flag=True, help="only say how much it would be")
@with_common
def forget(place: Place, key: str, *, reason: str, dry_run: bool, json_: bool) -> None:
    """Erase all that is kept of the content of KEY: versions, results, profile, quarantine. It can't be undone."""
    if not reason.strip():
        raise click.UsageError("--reason: expected a sentence, found nothing")
    wanted = exact_key(place, key)  # what is erased is gone: nothing is guessed
    ctx = place.ctx(_feed_of(place, wanted))
    found = forgetting.look(ctx, wanted)
    if not found.versions and not any(found.objects.values()):
        click.echo("there is nothing of this key", err=True)
        raise click.exceptions.Exit(NOTHING_FOUND)
    if not dry_run:
        who = place.connect("sts").get_caller_identity()["Arn"]
        with show.busy("erasing"):
            found = forgetting.forget(ctx, wanted, who, reason.strip())
    if not json_:
        click.echo("dry run, would erase:" if dry_run else "erased:", err=True)
    show.value({"versions": found.versions, **found.objects}, json_=json_)


@click.group()
def feed() -> None:
    """Look at feed files before they are deployed."""


@feed.command()
@click.argument("name")
@with_common
def check(place: Place, name: str, *, json_: bool) -> None:
    """Say what the feed NAME, as its file is now, makes of what lies in the bucket; ends with 1 if nothing is work."""
    broken = [problem for problem in place.problems if f"{name}.yaml" in problem or f"'{name}'" in problem]
    if broken and name not in [each.name for each in place.feeds]:
        raise ConfigurationError("\n".join(broken))  # overlaps with other feeds are among them
    with show.busy("listing the bucket"):
        found = feed_check.check(place.ctx(place.feed(name)))
    if json_:
        show.as_json(asdict(found))
    else:
        for line in feed_check.lines(found.counts, found.named):
            click.echo(line)
        if found.first:
            click.echo(f"work is of {found.first} to {found.last}, {found.bytes:,} bytes")
    if not found.counts.get("work"):
        click.echo("no file under this prefix is work for this feed", err=True)
        raise click.exceptions.Exit(1)


def _feed_of(place: Place, key: str) -> Feed:
    found = story.feed_of(place.feeds, key)
    if found is None:
        prefixes = ", ".join(f"{each.name}: {each.prefix}" for each in place.feeds)
        raise ConfigurationError(f"{key!r}: expected a key under a feed's prefix ({prefixes})")
    return found


COMMANDS = (logs, redrive, forget, feed)
