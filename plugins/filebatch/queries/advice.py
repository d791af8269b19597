"""One file's story in plain words: what became of it, why, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from filebatch.core import clock, failures, paths
from filebatch.core.records import FileRecord, FileState
from filebatch.core.wording import visible
from filebatch.feeds import standing
from filebatch.feeds.feed import Feed
from filebatch.feeds.standing import Standing
from filebatch.queries import timeline
from filebatch.queries.story import Story
from filebatch.queries.timeline import Event

SOON = "nothing: the feed's next run takes it. Runs begin when files arrive and by the feed's schedule"
NO_RUN = "see whether runs begin: is the DAG paused, is Airflow's triggerer up? docs/runbook.md, oldest-waiting-file"
# In what failures.json says to do, for the commands that do it.
RETRY, LOGS = "{retry}", "{logs}"
NOT_KNOWN = f"see what its container wrote ({LOGS}), put that right, then {RETRY}"
SENT_AGAIN = "ask the supplier to send it again, which is done by itself; what isn't there any more can't be retried"
SHOWN_PREFIXES = 10
OVERDUE_AFTER = timedelta(minutes=15)  # for which a file waits before somebody should look


@dataclass(frozen=True)
class Told:
    """What is said of a key: its state in a word, what is known in sentences, what to do next, and what happened."""

    key: str
    feed: str | None
    state: str
    said: Sequence[str]
    next: str
    timeline: Sequence[Event] = ()


def of_no_feed(key: str, feeds: Sequence[Feed]) -> Told:
    """Say that a key is under no feed's prefix."""
    shown = ", ".join(f"{feed.name}: {feed.prefix}" for feed in feeds[:SHOWN_PREFIXES]) or "there are no feeds"
    prefixes = f"{shown}, and {more} more" if (more := len(feeds[SHOWN_PREFIXES:])) else shown
    said = [f"No feed: {visible(key)!r} begins with no feed's prefix ({prefixes})."]
    return Told(key, None, "no feed", said, "put it under a feed's prefix, or write a feed file: README, A new feed")


def of_story(story: Story, now: datetime) -> Told:
    """Say what is known of a key of a feed."""
    file = story.newest
    if file is None:
        return _unknown(story)
    said, to_do = _known(story, file, now)
    said, to_do = [*said, *_beside(story)], _newer_first(story, to_do)
    return Told(story.key, story.feed.name, str(file.state), said, to_do, timeline.of(story.records, story.run))


def _newer_first(story: Story, to_do: str) -> str:
    """Return what to do where the bucket has a version that the ledger doesn't know: about that one first."""
    return f"about the newer version: {_why_unknown(story)[2]}. About this one: {to_do}" if story.unknown else to_do


def _unknown(story: Story) -> Told:
    """Say why the ledger doesn't know a key."""
    state, said, to_do = _why_unknown(story)
    return Told(story.key, story.feed.name, state, [said], to_do)


def _why_unknown(story: Story) -> tuple[str, str, str]:
    lying, feed = story.lying, story.feed
    if lying.deleted_at:
        said = f"It was deleted from the bucket at {lying.deleted_at}, and the ledger never knew it."
        return (
            "deleted",
            said,
            "ask the supplier to send it again, or remove S3's delete marker: it is there again then",
        )
    if lying.latest is None:
        return "not there", "It isn't in the bucket, and never was as far as the bucket tells.", _where_else(story)
    match story.standing:
        case Standing.UNMATCHED:
            return "unmatched", f"It lies in the bucket, but {mismatch(feed, story.key)}.", _rename(feed)
        case Standing.HISTORY:
            day = standing.time_of(feed, lying.latest).date()
            said = f"It is of {day}, before the feed's start {feed.start}: history, which is left alone."
            return "history", said, f"to have it done, set an earlier `start` in {feed.name}.yaml and apply"
        case Standing.IGNORED:
            return "ignored", "It is a marker that a tool left (a folder, or a job's end), and no file.", "nothing"
        case _:
            return _not_taken(story, lying.latest.last_modified)


def _not_taken(story: Story, came: str) -> tuple[str, str, str]:
    since = f"It lies in the bucket since {came}, and the ledger doesn't know it yet"
    if story.dead:
        said = f"{since}: its event is in the feed's dead-letter queue, so nobody was told of it."
        to_do = (
            f"filebatch redrive {story.feed.name}, else the feed's next sweep takes it; docs/runbook.md, dead-letters"
        )
        return "dead letter", said, to_do
    if story.swept_at is None or came >= story.swept_at:
        swept = f"the last sweep was at {story.swept_at}" if story.swept_at else "no sweep has been yet"
        return "not swept yet", f"{since}; {swept}.", SOON
    said = f"{since}, although a sweep looked at {story.swept_at}."
    return "lost", said, "run `filebatch audit`; this should not be, so keep what it says and tell the developers"


def _where_else(story: Story) -> str:
    why = mismatch(story.feed, story.key)
    return f"see whether the key is right ({why})" if why else "see whether the key is right, else ask the supplier"


def _rename(feed: Feed) -> str:
    return f"have it sent under a name that fits, or change `pattern` in {feed.name}.yaml: the next sweep takes it then"


def mismatch(feed: Feed, key: str) -> str:
    """Say why a key is no file of the feed, and where it stops fitting; "" where it fits."""
    why, fits = feed.mismatch(key), feed.fits_until(key)
    if fits is None:
        return why
    if fits == len(key):
        return f"{why}: it begins as the pattern wants, but doesn't end so"
    return f"{why}: it stops fitting at {visible(key[fits:])!r}"


def _known(story: Story, file: FileRecord, now: datetime) -> tuple[list[str], str]:
    match file.state:
        case FileState.ARRIVED:
            return _arrived(story, file, now)
        case FileState.CLAIMED:
            return _claimed(story, file, now)
        case FileState.SUCCEEDED:
            rows = f", {file.rows:,} rows" if file.rows is not None else ""
            again = f"nothing; to have it done again: {_command('redo', file)}"
            return [f"Done at {file.settled_at} by run {file.run_id}{rows}.", f"Its result: {file.result}"], again
        case FileState.INVALID:
            return _invalid(file)
        case FileState.FAILED:
            return _failed(story, file)


def _arrived(story: Story, file: FileRecord, now: datetime) -> tuple[list[str], str]:
    since = file.due_at or file.arrived_at
    said = [f"It waits for a run since {since}; it came at {file.arrived_at}."]
    if story.held:
        return [*said, _held(story.held)], _end_hold(story.feed)
    return said, NO_RUN if since < clock.to_iso(now - OVERDUE_AFTER) else SOON  # times sort as they are written


def _held(why: str) -> str:
    return f"Nothing of what waits is claimed. The feed is {why}."


def _end_hold(feed: Feed) -> str:
    failed, retry = f"filebatch files --feed {feed.name} --state failed", f"filebatch retry {feed.name} --reason '…'"
    return f"see why the others failed ({failed}), put that right, then {retry}: once one is done, all is claimed"


def _claimed(story: Story, file: FileRecord, now: datetime) -> tuple[list[str], str]:
    said, run = [f"Run {file.run_id} has it since {file.claimed_at}, attempt {file.attempts}."], story.run
    if file.trouble:
        said.append(f"So far it met with {file.trouble.code}: {visible(file.trouble.message)}")
    if run is None or run.is_settled:
        said.append("That run's claim is closed, so that nobody is at it.")
        return said, f"have a run take it, which frees it: {_command('release', file)}"
    if run.job:
        said.append(f"The job of its round {run.round}: {run.job}.")
    if run.overdue_since and run.overdue_since < clock.to_iso(now):
        said.append(f"That run gave no sign of life when it was due at {run.overdue_since}.")
        return (
            said,
            "nothing: the feed's next run takes it over once its job has ended; docs/runbook.md, claim-not-settled",
        )
    return said, "nothing: it is being done"


def _invalid(file: FileRecord) -> tuple[list[str], str]:
    if file.forgotten_at:
        return [
            f"All that was kept of its content was erased at {file.forgotten_at}, as somebody asked for it."
        ], "nothing"
    kept = paths.of_generation(paths.QUARANTINE, file.feed, file.work)
    said = [
        f"The file is wrong, found at {file.settled_at}: {_reason(file)}",
        f"It is in quarantine, in the results bucket, with its values in _reason.json: {kept}",
    ]
    return said, f"{failures.failure('invalid').do}; if the file is right and we are wrong: {_command('redo', file)}"


def _failed(story: Story, file: FileRecord) -> tuple[list[str], str]:
    code = file.reason.code if file.reason else ""
    known = failures.document()["failures"].get(code, {})
    said = [f"It failed at {file.settled_at}, attempt {file.attempts} of {story.feed.max_attempts}: {_reason(file)}"]
    if known and known["meaning"] not in said[0]:
        said.append(f"The code {code} means: {known['meaning']}.")
    if file.open and story.held:
        return [*said, _held(story.held)], _end_hold(story.feed)
    if file.open:
        return said, f"nothing: it is tried again from {file.due_at} on; at once: {_command('retry', file)}"
    to_do = SENT_AGAIN if story.is_gone else str(known.get("do", NOT_KNOWN))
    commands = {RETRY: _command("retry", file), LOGS: f"filebatch logs {_shown(file)}"}
    for name, command in commands.items():
        to_do = to_do.replace(name, command)
    return [*said, "It isn't tried again by itself."], to_do


def _reason(file: FileRecord) -> str:
    return f"{file.reason.code}, {visible(file.reason.message)}" if file.reason else "no reason is written down"


def _command(verb: str, file: FileRecord) -> str:
    return f"filebatch {verb} {file.feed} --key {_shown(file)} --reason '…'"


def _shown(file: FileRecord) -> str:
    return shlex.quote(file.key) if visible(file.key) == file.key else "KEY"  # what can't be seen can't be copied


def _beside(story: Story) -> Iterator[str]:
    """Say what else is worth knowing of a key that the ledger knows."""
    if story.lying.deleted_at:
        yield f"It was deleted from the bucket at {story.lying.deleted_at}."
    elif story.is_gone:
        yield "It isn't in the bucket any more."
    elif story.unknown:
        yield f"A newer version lies in the bucket since {story.unknown.last_modified}, which no run has seen yet."
    if len(story.records) > 1:
        yield f"{len(story.records)} versions of it are known; this is the newest."
