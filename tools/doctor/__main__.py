"""`python -m doctor [SETTINGS.json] [--json] [--no-local]`: exit code 1 where something is wrong, else 0.

What nobody could look at is listed as not checked, and is no fault.

Without a file the settings are those of the shell (AIRFLOW_VAR_FILEBATCH), else of the running local AWS; without any,
the repository alone is looked at.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path

import boto3

from doctor import airflow, environment, repository
from doctor.environment import Environment
from doctor.told import Finding, NotChecked, Told
from filebatch.feeds.feed import load_feeds
from surroundings import NoSettingsError, found_settings

ROOT = Path(__file__).parents[2]
NO_LOCAL, WITHOUT = "--no-local", "--without"
# What a deployment is about to bring.
BEFORE = ("queues", "job definitions", "images", "image start", "permissions", "paused DAGs")
LAST = "queues without a feed"  # which Terraform removes after their DAGs


def main(arguments: Sequence[str] | None = None) -> int:
    """Look at everything; print what was found, and what nobody looked at."""
    parser = argparse.ArgumentParser(prog="doctor", description="Find what would go wrong in a deployment.")
    parser.add_argument("settings", nargs="?", type=Path, help="JSON file of settings (default: see `make doctor`)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(NO_LOCAL, action="store_true", help="leave out this machine's local AWS and Airflow")
    parser.add_argument(WITHOUT, metavar="CHECK", action="append", default=[], help="leave out a check")
    given = parser.parse_args(arguments)
    if given.settings:
        _refuse_unreadable(parser, given.settings)
    looked = examined(given.settings, local=not given.no_local)
    told = {name: list(found) for name, found in looked if name not in given.without}
    sys.stdout.write(_as_json(told) if given.json else _as_text(told))
    return int(any(isinstance(each, Finding) for found in told.values() for each in found))


def _refuse_unreadable(parser: argparse.ArgumentParser, file: Path) -> None:
    """End with 2 where a file was named that isn't one of settings: what was asked for would go unchecked."""
    try:
        found_settings(file)
    except NoSettingsError as none:
        parser.error(str(none))


def examined(file: Path | None, *, local: bool) -> Iterator[tuple[str, Iterator[Told]]]:
    """Yield each check's name and what it tells; without `local` nothing of what runs on this machine."""
    for name, check in repository.CHECKS.items():
        yield name, check(ROOT)
    feeds, _ = load_feeds(ROOT / "dags" / "feeds")
    try:
        found = found_settings(file, local=local)
    except NoSettingsError as none:
        for name in environment.CHECKS:
            yield name, iter([NotChecked(name, str(none))])
    else:
        sys.stderr.write(f"looked at: {found.environment} in {found.region}\n")
        here = Environment(found, feeds, cache(boto3.Session(region_name=found.region).client))
        for name, look in environment.CHECKS.items():
            yield name, environment.looked(here, name, look)
    look_for_paused = airflow.paused if local else airflow.paused_elsewhere
    yield "paused DAGs", look_for_paused([feed.name for feed in feeds])


def _as_json(told: Mapping[str, Sequence[Told]]) -> str:
    findings = [{"check": name, **asdict(each)} for name, each in _all(told) if isinstance(each, Finding)]
    unchecked = [{"check": name, **asdict(each)} for name, each in _all(told) if isinstance(each, NotChecked)]
    document = {"findings": findings, "not_checked": unchecked, "fine": _fine(told)}
    return json.dumps(document, indent=1) + "\n"


def _as_text(told: Mapping[str, Sequence[Told]]) -> str:
    lines = [f"fine: {', '.join(_fine(told)) or 'nothing'}"]
    for name, each in _all(told):
        if isinstance(each, NotChecked):
            lines.append(f"not checked: {each.what}: {each.why}")
        else:
            lines += [f"WRONG ({name}): {each.what}", f"  why it matters: {each.why}", f"  what to do: {each.do}"]
    return "\n".join(lines) + "\n"


def _fine(told: Mapping[str, Sequence[Told]]) -> list[str]:
    return [name for name, found in told.items() if not found]


def _all(told: Mapping[str, Sequence[Told]]) -> Iterator[tuple[str, Told]]:
    return ((name, each) for name, found in told.items() for each in found)


if __name__ == "__main__":
    sys.exit(main())
