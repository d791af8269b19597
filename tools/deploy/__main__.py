"""`python -m deploy ENVIRONMENT [--to PLACE]`: lay plugins, requirements, DAGs and feeds down; `--help` has the rest.

PLACE is a folder, or s3://BUCKET/PREFIX. Exit code 0: it's as planned; 1: refused, and the text says what to do.
"""

from __future__ import annotations

import argparse
import getpass
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deploy import contents, deployments, plan
from deploy.contents import Files
from deploy.deployments import Deployment, RefusedError
from deploy.places import Bucket, Folder, Place
from doctor.__main__ import NO_LOCAL
from doctor.__main__ import main as doctor

ROOT = Path(__file__).parents[2]
EXAMPLE = "make deploy ENV=existing-airflow TO=/srv/airflow"


@dataclass(frozen=True)
class Wanted:
    """What is to be there: files, and the hashes of what must be there before them."""

    files: Files
    needs: Mapping[str, str]


def main(arguments: Sequence[str] | None = None, ask: Callable[[str], str] = input) -> int:
    """Show the plan, ask, carry it out; return the exit code."""
    given = _parsed(arguments)
    try:
        return _deploy(given, ask)
    except (RefusedError, ClientError, BotoCoreError, OSError, ValueError) as error:
        sys.stderr.write(f"nothing more was done: {' '.join(str(error).split())}\n")
        return 1


def _deploy(given: argparse.Namespace, ask: Callable[[str], str]) -> int:
    environment = _environment(given.environment)
    _tell(_by_hand(given.environment))
    if given.to is None:
        if not given.dry_run:
            raise RefusedError(f"no place to deploy to; such as: {EXAMPLE}, or TO=s3://BUCKET")
        _tell([f"{name}: not looked up: no place was given (TO=FOLDER or TO=s3://BUCKET)" for name in contents.PARTS])
        doctor([NO_LOCAL])
        return 0
    place = _place(given.to)
    wanted = _wanted(place, given.rollback, contents.has_mwaa(environment))
    shown = _planned(place, wanted)
    _tell(plan.told(shown, wanted.needs, plan.unmet(wanted.needs, place)))
    if given.dry_run:
        doctor([NO_LOCAL])
        return 0
    plan.check_needs(wanted.needs, place)
    if shown.empty and _is_recorded(place, wanted) and given.take_over is None:
        _tell(["nothing to do: all of it is there"])
        return 0
    if doctor([NO_LOCAL]):
        raise RefusedError("the doctor found something wrong (above)")
    if not given.yes and ask("deploy this? [y/N] ").strip().lower() != "y":
        raise RefusedError("not confirmed")
    return _carry_out(place, wanted, shown, given.take_over)


def _carry_out(place: Place, wanted: Wanted, shown: plan.Plan, take_over: str | None) -> int:
    who, now = f"{getpass.getuser()}@{socket.gethostname()}/{os.getpid()}", datetime.now(UTC).isoformat("T", "seconds")
    with deployments.locked(place, who, now, take_over):
        plan.check_needs(wanted.needs, place)
        if _planned(place, wanted) != shown:
            raise RefusedError("somebody has deployed since this plan was shown; look at it again")
        number = max((each.number for each in deployments.recorded(place)), default=0) + 1
        deployment = Deployment(number, who, now, contents.hashes(wanted.files), wanted.needs)
        deployments.begin(place, deployment, wanted.files)
        plan.carry_out(shown, wanted.files, place)
        deployments.finish(place, deployment)
    _tell([f"deployment {number} is done; back to it at any time: ARGS='--rollback {number}'"])
    return 0


def _planned(place: Place, wanted: Wanted) -> plan.Plan:
    return plan.made(wanted.files, deployments.owned(deployments.recorded(place)), place)


def _wanted(place: Place, rollback: int | None, mwaa: bool) -> Wanted:
    if rollback is None:
        files, needs = contents.of_clone(ROOT, mwaa)
        return Wanted(files, contents.hashes(needs))
    earlier = deployments.numbered(deployments.recorded(place), rollback)
    return Wanted(deployments.contents(place, earlier), earlier.needs)


def _is_recorded(place: Place, wanted: Wanted) -> bool:
    done = deployments.recorded(place)
    last = done[-1] if done else None
    return bool(last and last.finished and (last.files, last.needs) == (contents.hashes(wanted.files), wanted.needs))


def _environment(name: str) -> str:
    folder = ROOT / "infra" / "environments"
    file = folder / f"{name}.tfvars"
    if not file.is_file():
        known = ", ".join(sorted(each.stem for each in folder.glob("*.tfvars")))
        raise RefusedError(f"there is no environment {name!r} in infra/environments; there are: {known}")
    return file.read_text(encoding="utf-8")


def _by_hand(name: str) -> list[str]:
    show = f"terraform -chdir=infra plan -var-file=environments/{name}.tfvars"
    return [
        f"infrastructure: not looked up, and not changed from here: `{show}` shows what would change",
        f"image: content {contents.image(ROOT)[:12]}; not looked up, and not pushed from here: infra/README.md",
    ]


def _place(to: str) -> Place:
    url = urlsplit(to)
    if url.scheme == "s3" and url.netloc:
        return Bucket(boto3.client("s3"), url.netloc, url.path)
    if "://" in to:
        raise RefusedError(f"TO: expected a folder or s3://BUCKET/PREFIX, found {to!r}")
    return Folder(Path(to))


def _tell(lines: Sequence[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="deploy", description="Lay plugins, requirements, DAGs and feeds down.")
    parser.add_argument("environment", help="name of a file in infra/environments, without .tfvars")
    parser.add_argument("--to", help="folder or s3://BUCKET/PREFIX that Airflow reads")
    parser.add_argument("--dry-run", action="store_true", help="show the plan, change nothing")
    parser.add_argument("--yes", action="store_true", help="don't ask")
    parser.add_argument("--rollback", type=int, metavar="NUMBER", help="lay down what that deployment did")
    parser.add_argument("--take-over", metavar="OWNER", help="take the lock of an owner who is gone")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
