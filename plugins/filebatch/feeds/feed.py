"""A feed: one YAML file that says which files a partner drops, and what is to be done with them.

`dags/feeds/NAME.yaml` is read by the DAG file, by the local AWS and by Terraform (`yamldecode`). The feed's name is
the file's name. docs/feeds.md is the reference for people.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from filebatch.core.errors import FeedError, Problem
from filebatch.feeds import checks, fargate, feed_file, feed_text, key_dates, patterns, problems
from filebatch.feeds.notifying import Notify, Strict

# What Terraform has to know where a feed doesn't say; it reads the same file.
# What a feed has where its file doesn't say, read by Terraform, too. Each field of `container` is a placeholder of
# infra/documents/job-definition.json.
_DEFAULTS: Mapping[str, Any] = json.loads(Path(__file__).with_name("feed-defaults.json").read_text(encoding="utf-8"))
CONTAINER: Mapping[str, Any] = _DEFAULTS["container"]


class Packing(Strict):
    """How files share a container.

    Attributes:
        bytes: a unit takes files up to this many bytes.
        files: a unit takes at most this many files.
        claim: a run takes at most this many files; the rest is the next run's.
        claim_bytes: a run takes files up to this many bytes, and one at least.
    """

    bytes: int = Field(default=256 * 2**20, ge=1)
    files: int = Field(default=100, ge=1, le=1000)
    claim: int = Field(default=10_000, ge=1, le=10_000)
    claim_bytes: int = Field(default=2**40, ge=1)


class Feed(Strict):
    """One feed, checked.

    Attributes:
        name: the feed file's name without `.yaml`; also the DAG's id.
        description: one line for people.
        prefix: what the keys of the feed begin with; no other feed's may begin with it.
        pattern: regular expression that the rest of the key matches as a whole; a group `date` gives the file's time.
        date_format: strptime format of the date in the key; None for year, month and day in digits, as is usual.
        day_prefix: strftime format of how the rest of the key begins on a day (`%Y/%m/%d/`), where it does: it bounds
            the listing of a window; without it the whole prefix is listed.
        start: files of an earlier day are history, not work.
        processor: `tabular`, `command`, or `package.module:function` of your own image.
        options: the processor's options.
        image: container image; None for the environment's.
        architecture: what the container's processors are; the image must be for them.
        vcpu: virtual CPUs of the container.
        memory: MiB of the container.
        disk: GiB of scratch space.
        timeout: seconds that one attempt at a unit may take, at least 60.
        run_within: hours without a completed run after which an alarm goes.
        packing: how files share a container.
        schedule: cron expression of the sweep that compares bucket and ledger.
        expected_by: UTC time of day by which a day's file is expected, or None.
        max_attempts: how often a file that fails is claimed before people are asked.
        fail_run_on: which files make the run fail: FAILED ones (`failed`), INVALID ones too (`invalid`), none
            (`never`), or both where they are more than a share of the run's files (`10%`).
        notify: whom a run tells.
        show_values: whether notifications, logs and the ledger may quote the files; else quarantine alone does.
    """

    name: str
    description: str = ""
    prefix: str
    pattern: Annotated[str, AfterValidator(checks.regex)] = r".+"
    date_format: str | None = Field(default=None, validate_default=True)
    day_prefix: str | None = None
    start: Annotated[date, Field(ge=date(1970, 1, 1), le=date(2100, 1, 1))]
    processor: str = "tabular"
    options: Annotated[dict[str, Any], AfterValidator(checks.json_alone)] = Field(default_factory=dict)
    image: str | None = None
    architecture: Literal["X86_64", "ARM64"] = CONTAINER["architecture"]
    vcpu: float = CONTAINER["vcpu"]
    memory: int = Field(default=CONTAINER["memory"], validate_default=True)
    disk: int = Field(default=CONTAINER["disk"], ge=21, le=200)
    timeout: int = Field(default=CONTAINER["timeout"], ge=60, le=14 * 86400)
    run_within: int = Field(default=_DEFAULTS["run_within"], ge=1, le=24)
    packing: Packing = Packing()
    schedule: Annotated[str, AfterValidator(checks.cron)] = "*/15 * * * *"
    expected_by: Annotated[time | None, BeforeValidator(checks.time_of_day)] = None
    max_attempts: int = Field(default=3, ge=1, le=10)
    fail_run_on: str = "failed"
    notify: Notify = Notify()
    show_values: bool = False

    @field_validator(*feed_text.RULES, mode="before")
    @classmethod
    def _holds_text_that_may_be(cls, value: Any, info: ValidationInfo) -> Any:
        return feed_text.checked(str(info.field_name), value)

    # What another field says is in `info.data`, as far as it is right itself: so all problems are found at once.
    @field_validator("vcpu")
    @classmethod
    def _fargate_has_the_vcpu(cls, vcpu: float) -> float:
        fargate.check_vcpu(vcpu)
        return vcpu

    @field_validator("memory")
    @classmethod
    def _fargate_has_the_memory(cls, memory: int, info: ValidationInfo) -> int:
        if "vcpu" in info.data:
            fargate.check_memory(info.data["vcpu"], memory)
        return memory

    @field_validator("options")
    @classmethod
    def _processor_knows_the_options(cls, options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        checks.known_options(info.data.get("processor", ""), options)
        return options

    @field_validator("pattern")
    @classmethod
    def _pattern_begins_after_the_prefix(cls, pattern: str, info: ValidationInfo) -> str:
        if "prefix" in info.data:
            checks.pattern_after(info.data["prefix"], pattern)
        return pattern

    @field_validator("date_format")
    @classmethod
    def _pattern_has_dates_of_the_format(cls, date_format: str | None, info: ValidationInfo) -> str | None:
        if "pattern" in info.data:
            key_dates.check(date_format, info.data["pattern"])
        return date_format

    @field_validator("day_prefix")
    @classmethod
    def _keys_begin_with_the_day_prefix(cls, day_prefix: str | None, info: ValidationInfo) -> str | None:
        if day_prefix and {"pattern", "date_format"} <= info.data.keys():
            key_dates.check_day_prefix(day_prefix, info.data["pattern"], info.data["date_format"])
        return day_prefix

    def matches(self, key: str) -> bool:
        """Tell whether a key is a file of this feed (its prefix alone doesn't make it one)."""
        return not self.mismatch(key)

    def mismatch(self, key: str) -> str:
        """Say why a key is no file of this feed; "" where it is one."""
        groups = self._match(key)
        if groups is None:
            return f"its key doesn't match `{self.pattern}` after {self.prefix!r}"
        written = groups.get("date")
        day = key_dates.read(written, self.date_format) if written is not None else None
        if written is not None and day is None:
            return f"the date in its key, {written!r}, isn't of the form {key_dates.told(self.date_format)}"
        if self.day_prefix and not (day and key[len(self.prefix) :].startswith(day.strftime(self.day_prefix))):
            return f"after {self.prefix!r} its key doesn't begin with its day as {self.day_prefix!r} says"
        return ""

    def fits_until(self, key: str) -> int | None:
        """Return how many characters of a key fit where the pattern doesn't match it; None where the pattern does."""
        if self._match(key) is not None:
            return None
        return len(self.prefix) + patterns.fits_until(self.pattern, key[len(self.prefix) :])

    def covers(self, key: str) -> bool:
        """Tell whether a key lies under the feed's prefix."""
        return key.startswith(self.prefix)

    def file_time(self, key: str, last_modified: datetime) -> datetime:
        """Return the time a file is about: the date in its key where the pattern has one, else its LastModified."""
        return self.date_of(key) or last_modified.astimezone(UTC)

    def date_of(self, key: str) -> datetime | None:
        """Return the date in a key; None where the pattern has none, or doesn't match it."""
        written = (self._match(key) or {}).get("date")
        return key_dates.read(written, self.date_format) if written is not None else None

    def is_history(self, file_time: datetime) -> bool:
        """Tell whether a file is older than the feed."""
        return file_time.date() < self.start

    def larger_memory(self, wanted: int) -> int:
        """Return the smallest memory in MiB that Fargate offers with the feed's vCPUs and is at least `wanted`.

        Where that is more than Fargate has, its largest.
        """
        return fargate.at_least(self.vcpu, wanted)

    def _match(self, key: str) -> Mapping[str, str | None] | None:
        return patterns.fullmatch(self.pattern, key[len(self.prefix) :]) if self.covers(key) else None


KNOWN = {
    "": sorted(Feed.model_fields.keys() - {"name"}),
    "packing": sorted(Packing.model_fields),
    "notify": sorted(Notify.model_fields),
}


def load_feeds(folder: Path) -> tuple[list[Feed], list[FeedError]]:
    """Read all feed files of a folder, in order of their names.

    A file's faults are its own: an error in the second list, which leaves the other feeds alone. Feeds whose prefixes
    overlap are all errors, as nobody can tell whose the files are. So is whatever else lies there, as it may be meant
    for a feed; but for hidden files.
    """
    feeds: list[Feed] = []
    errors = [_stray(found) for found in sorted(folder.glob("*")) if not (found.suffix == ".yaml" or _is_hidden(found))]
    for file in sorted(folder.glob("*.yaml")):
        try:
            feeds.append(load_feed(file))
        except FeedError as error:
            errors.append(error)
    overlapping = {feed.name: found for feed in feeds if (found := _overlap(feed, feeds))}
    return [feed for feed in feeds if feed.name not in overlapping], [*errors, *overlapping.values()]


def _is_hidden(file: Path) -> bool:
    return file.name.startswith(".")


def _stray(found: Path) -> FeedError:
    """Return what is wrong with something that is no feed file."""
    kind = "a folder" if found.is_dir() else "a file of another name"
    return FeedError(
        found.name,
        Problem("", "nothing but feed files here: NAME.yaml, in no folder; rename it, or move it away", kind),
    )


def load_feed(file: Path) -> Feed:
    """Read one feed file; FeedError names file and, of all that is wrong, field, expected and found."""
    if not feed_text.fits("name", file.stem):
        raise FeedError(file.name, Problem("", f"a name of {feed_text.RULES['name']['expected']}", file.stem))
    try:
        return _feed(file.name, file.stem, feed_file.read(file))
    except FeedError:
        raise
    except Exception as error:  # whatever else a file causes is its own fault, and none of the other feeds'
        raise FeedError(file.name, Problem("", "a feed", problems.shown(error))) from error


def _feed(file: str, name: str, fields: Mapping[str, Any]) -> Feed:
    told = problems.shown(fields.get("name"))
    wrong = [Problem("name", "no such field, as the file's name is the feed's", told)] if "name" in fields else []
    try:
        feed = Feed.model_validate({**fields, "name": name})
    except ValidationError as error:
        raise FeedError(file, *wrong, *problems.of(error, KNOWN)) from error
    if wrong:
        raise FeedError(file, *wrong)
    return feed


def _overlap(feed: Feed, feeds: Iterable[Feed]) -> FeedError | None:
    """Return what is wrong with a feed whose keys may be another's, or whose keys another's may be."""
    others = [
        other for other in feeds if other.name != feed.name and (other.covers(feed.prefix) or feed.covers(other.prefix))
    ]
    if not others:
        return None
    named = ", ".join(f"{other.prefix!r} of {other.name}.yaml" for other in others)
    expected = f"one that doesn't overlap with {named}; none of them is used"
    return FeedError(f"{feed.name}.yaml", Problem("prefix", expected, repr(feed.prefix)))
