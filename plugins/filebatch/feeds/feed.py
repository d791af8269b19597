"""A feed: one YAML file that says which files a partner drops, and what is to be done with them.

`dags/feeds/NAME.yaml` is read by the DAG file, by the local AWS and by Terraform (`yamldecode`). The feed's name is
the file's name. docs/feeds.md is the reference for people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from filebatch.core.errors import FeedError
from filebatch.feeds import fargate, feed_file, feed_text, patterns

# What Terraform has to know where a feed doesn't say; it reads the same file.
DEFAULTS: Mapping[str, Any] = json.loads(Path(__file__).with_name("feed-defaults.json").read_text(encoding="utf-8"))

CRON_FIELDS = 5
NOW = datetime(2026, 1, 1, tzinfo=UTC)  # any moment does
MAX_SHOWN = 200  # characters of a value in an error


def _regex(text: str) -> str:
    patterns.check(text)
    return text


def _cron(text: str) -> str:
    """Refuse what Airflow's timetable can't go by: it would fail for all feeds' DAGs, as they're in one file."""
    from croniter import CroniterError, croniter

    try:
        for moment in (croniter(text, NOW).get_prev, croniter(text, NOW).get_next):
            moment(datetime)
    except CroniterError as error:
        raise ValueError('a cron expression such as "*/15 * * * *", of days that come') from error
    if not text.startswith("@") and (len(text.split()) != CRON_FIELDS or re.search(r"(^|[ ,])[rRhH]", text)):
        raise ValueError('a cron expression of five fields such as "*/15 * * * *", without chance (R, H)')
    return text


def _json(options: dict[str, Any]) -> dict[str, Any]:
    """Refuse what would reach the worker as something else, or not at all."""
    try:
        same = json.loads(json.dumps(options, allow_nan=False)) == options
    except (TypeError, ValueError, RecursionError):
        same = False
    if not same:
        raise ValueError("what JSON has: text, numbers, true, false, null, lists, mappings (a date is text, in quotes)")
    return options


def _time_of_day(written: Any) -> Any:
    """Refuse a number: YAML takes an unquoted 10:30 for 630."""
    if isinstance(written, (int, float)):
        raise ValueError('a time of day in quotes, such as "10:30"')  # noqa: TRY004 - pydantic gathers ValueErrors
    return written


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Packing(_Strict):
    """How files share a container.

    Attributes:
        bytes: a unit takes files up to this many bytes.
        files: a unit takes at most this many files.
        claim: a run takes at most this many files; the rest is the next run's.
    """

    bytes: int = Field(default=256 * 2**20, ge=1)
    files: int = Field(default=100, ge=1, le=1000)
    claim: int = Field(default=10_000, ge=1, le=10_000)


class Notify(_Strict):
    """Whom a run tells what happened: the environment's topics, by name."""

    stakeholders: bool = True
    developers: bool = True


class Feed(_Strict):
    """One feed, checked.

    Attributes:
        name: the feed file's name without `.yaml`; also the DAG's id.
        description: one line for people.
        prefix: what the keys of the feed begin with; no other feed's may begin with it.
        pattern: regular expression that the rest of the key matches as a whole; a group `date` gives the file's time.
        day_prefix: strftime format of how the rest of the key begins on a day (`%Y/%m/%d/`), where it does: it bounds
            the listing of a window; without it the whole prefix is listed.
        start: files of an earlier day are history, not work.
        processor: `tabular`, or `package.module:function` of your own image.
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
        fail_run_on: which files make the run fail.
        notify: whom a run tells.
        show_values: whether notifications, logs and the ledger may quote the files; else quarantine alone does.
    """

    name: str
    description: str = ""
    prefix: str
    pattern: Annotated[str, AfterValidator(_regex)] = r".+"
    day_prefix: str | None = None
    start: Annotated[date, Field(ge=date(1970, 1, 1), le=date(2100, 1, 1))]
    processor: str = "tabular"
    options: Annotated[dict[str, Any], AfterValidator(_json)] = Field(default_factory=dict)
    image: str | None = None
    architecture: Literal["X86_64", "ARM64"] = DEFAULTS["architecture"]
    vcpu: float = DEFAULTS["vcpu"]
    memory: int = DEFAULTS["memory"]
    disk: int = Field(default=DEFAULTS["disk"], ge=21, le=200)
    timeout: int = Field(default=DEFAULTS["timeout"], ge=60, le=14 * 86400)
    run_within: int = Field(default=DEFAULTS["run_within"], ge=1, le=24)
    packing: Packing = Packing()
    schedule: Annotated[str, AfterValidator(_cron)] = "*/15 * * * *"
    expected_by: Annotated[time | None, BeforeValidator(_time_of_day)] = None
    max_attempts: int = Field(default=3, ge=1, le=10)
    fail_run_on: Literal["failed", "invalid", "never"] = "failed"
    notify: Notify = Notify()
    show_values: bool = False

    @field_validator(*feed_text.RULES, mode="before")
    @classmethod
    def _holds_text_that_may_be(cls, value: Any, info: ValidationInfo) -> Any:
        return feed_text.checked(str(info.field_name), value)

    @model_validator(mode="after")
    def _fits_fargate(self) -> Feed:
        fargate.check(self.vcpu, self.memory)
        return self

    @model_validator(mode="after")
    def _day_prefix_has_a_date(self) -> Feed:
        if self.day_prefix and "date" not in patterns.groups(self.pattern):
            raise ValueError(
                "day_prefix: a group (?P<date>…) in pattern beside it, as it bounds a window by the files' times; "
                f"found {self.day_prefix!r}"
            )
        return self

    def matches(self, key: str) -> bool:
        """Tell whether a key is a file of this feed (its prefix alone doesn't make it one)."""
        return self._match(key) is not None

    def covers(self, key: str) -> bool:
        """Tell whether a key lies under the feed's prefix."""
        return key.startswith(self.prefix)

    def file_time(self, key: str, last_modified: datetime) -> datetime:
        """Return the time a file is about: the date in its key where the pattern has one, else its LastModified."""
        return _day((self._match(key) or {}).get("date")) or last_modified.astimezone(UTC)

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


def load_feeds(folder: Path) -> tuple[list[Feed], list[FeedError]]:
    """Read all feed files of a folder, in order of their names.

    A file's faults are its own: an error in the second list, which leaves the other feeds alone. Feeds whose prefixes
    overlap are all errors, as nobody can tell whose the files are.
    """
    feeds: list[Feed] = []
    errors: list[FeedError] = []
    for file in sorted(folder.glob("*.yaml")):
        try:
            feeds.append(load_feed(file))
        except FeedError as error:
            errors.append(error)
    overlapping = {feed.name: found for feed in feeds if (found := _overlap(feed, feeds))}
    return [feed for feed in feeds if feed.name not in overlapping], [*errors, *overlapping.values()]


def load_feed(file: Path) -> Feed:
    """Read one feed file; FeedError names file, field, what was expected and what was found."""
    if not feed_text.fits("name", file.stem):
        raise FeedError(file.name, "", f"a name of {feed_text.RULES['name']['expected']}", file.stem)
    try:
        fields = feed_file.read(file)
        if "name" in fields:
            raise FeedError(
                file.name, "name", "no such field, as the file's name is the feed's", _shown(fields["name"])
            )
        return Feed.model_validate({"name": file.stem, **fields})
    except FeedError:
        raise
    except ValidationError as error:
        raise _first(file.name, error) from error
    except Exception as error:  # whatever else a file causes is its own fault, and none of the other feeds'
        raise FeedError(file.name, "", "a feed", _shown(error)) from error


def _overlap(feed: Feed, feeds: Iterable[Feed]) -> FeedError | None:
    """Return what is wrong with a feed whose keys may be another's, or whose keys another's may be."""
    others = [
        other for other in feeds if other.name != feed.name and (other.covers(feed.prefix) or feed.covers(other.prefix))
    ]
    if not others:
        return None
    named = ", ".join(f"{other.prefix!r} of {other.name}.yaml" for other in others)
    return FeedError(
        f"{feed.name}.yaml", "prefix", f"one that doesn't overlap with {named}; none of them is used", repr(feed.prefix)
    )


def _first(name: str, error: ValidationError) -> FeedError:
    """Put pydantic's first complaint in this project's words."""
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])[:MAX_SHOWN]
    message, found = first["msg"], _shown(first.get("input"))
    if first["type"] == "missing":
        return FeedError(name, path, "a value", "nothing")
    if first["type"] == "extra_forbidden":
        return FeedError(name, path, f"one of the known fields ({', '.join(_known(first['loc']))})", "an unknown one")
    message = message.removeprefix("Input should be ")
    if first["type"] == "value_error":
        message = message.removeprefix("Value error, ")
        if not path:
            path, _, message = message.partition(": ")
            message, _, found = message.partition("; found ")
    return FeedError(name, path, message, found)


def _shown(found: object) -> str:
    """Return a value as an error shows it; a number of a thousand digits can't be written, and a page isn't read."""
    try:
        told = repr(found)
    except ValueError:
        return f"a huge {type(found).__name__}"
    return told if len(told) <= MAX_SHOWN else f"{told[:MAX_SHOWN]}…"


def _known(path: tuple[int | str, ...]) -> list[str]:
    """Return the fields that may stand where an unknown one was found."""
    nested: Mapping[str, type[BaseModel]] = {"packing": Packing, "notify": Notify}
    model = nested.get(str(path[0]), Feed)
    return sorted(model.model_fields.keys() - {"name"})


def _day(written: str | None) -> datetime | None:
    digits = re.sub(r"\D", "", written or "")
    try:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
