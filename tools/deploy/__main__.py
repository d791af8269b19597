"""`python -m deploy ENVIRONMENT [--to PLACE]`: infrastructure, image, plugins, requirements, DAGs, feeds.

PLACE is a folder, or s3://BUCKET/PREFIX, for an Airflow of your own; MWAA's bucket is Terraform's to name. `--help` has
the rest. Exit code 0: it's as planned; 1: refused or failed, and the text says what to do.
"""

from __future__ import annotations

import argparse
import getpass
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deploy import contents, deployments, images, looking, steps, verify
from deploy.deployments import Deployment, RefusedError
from deploy.images import Docker
from deploy.looking import Seen
from deploy.mwaa import Waiting
from deploy.places import Bucket, Folder, Place
from deploy.target import Target, Wanted
from deploy.terraform import Infrastructure, NotLookedUpError, Terraform
from doctor.__main__ import BEFORE, LAST, NO_LOCAL, WITHOUT
from doctor.__main__ import main as doctor
from filebatch.cli.airflow_api import URL, Airflow
from filebatch.feeds.feed import load_feeds

ROOT = Path(__file__).parents[2]
EXAMPLE = "make deploy ENV=existing-airflow TO=/srv/airflow"
FAILURES = (
    RefusedError,
    NotLookedUpError,
    ClientError,
    BotoCoreError,
    OSError,
    ValueError,
    subprocess.CalledProcessError,
)


def main(arguments: Sequence[str] | None = None, ask: Callable[[str], str] = input) -> int:
    """Show the plan, ask, carry it out; return the exit code."""
    given = _parsed(arguments)
    act = _destroy if given.destroy else _settings if given.settings else _deploy
    try:
        return act(given, ask)
    except FAILURES as error:
        sys.stderr.write(f"nothing more was done: {' '.join(str(error).split())}\n")
        return 1


def _deploy(given: argparse.Namespace, ask: Callable[[str], str]) -> int:
    target = _target(given)
    wanted = _wanted(given, target)
    seen = _seen(given, target, wanted)
    _tell(looking.told(seen, target, wanted))
    if given.dry_run:
        _doctor(given, target, seen)
        return 0
    if not (target.mwaa or given.to):
        raise RefusedError(f"no place to deploy to; such as: {EXAMPLE}, or TO=s3://BUCKET")
    looking.check(target, wanted, seen)
    last = _last(target, wanted, seen)
    if seen.empty and last and given.take_over is None:
        _tell(["nothing to do: all of it is there"])
        return 0 if last.verified else _verify(target, wanted, last, seen.outputs)
    if _doctor(given, target, seen):
        raise RefusedError("the doctor found something wrong (above); leave a check out with ARGS='--without \"NAME\"'")
    if not given.yes and ask("deploy this? [y/N] ").strip().lower() != "y":
        raise RefusedError("not confirmed")
    who, now = f"{getpass.getuser()}@{socket.gethostname()}/{os.getpid()}", datetime.now(UTC).isoformat("T", "seconds")
    done = steps.carry_out(target, wanted, seen, who, now, given.take_over)
    _tell([f"deployment {done.number} is done; back to it at any time: ARGS='--rollback {done.number}'"])
    outputs = target.infrastructure.outputs() if target.infrastructure else seen.outputs
    return _verify(target, wanted, done, outputs) if outputs else 0


def _verify(target: Target, wanted: Wanted, deployment: Deployment, outputs: Mapping[str, Any]) -> int:
    wrong = verify.verified(target, wanted, deployment, outputs)
    place = target.place(outputs)
    if wrong:
        _tell([f"WRONG: {each}" for each in wrong])
        sys.stderr.write(
            "it's laid down, but Airflow isn't well: correct it and deploy again, or ARGS='--rollback NUMBER'\n"
        )
        return 1
    if place and target.airflow(outputs):
        deployments.finish(place, deployment, verified=True)
        _tell(["verified: DAGs without import errors, settings as Terraform says"])
    return 0


def _seen(given: argparse.Namespace, target: Target, wanted: Wanted) -> Seen:
    try:
        return looking.look(target, wanted)
    except (ClientError, BotoCoreError) as error:
        if not given.dry_run:
            raise
        return Seen(unknown={"infrastructure": " ".join(str(error).split())})


def _doctor(given: argparse.Namespace, target: Target, seen: Seen) -> int:
    """Have the doctor look at all that this deployment doesn't bring itself."""
    left_out = [LAST, *(() if given.files_only else BEFORE), *given.without]
    about = []
    if known := seen.outputs.get("settings"):
        target.scratch.mkdir(parents=True, exist_ok=True)
        file = target.scratch / "settings.json"
        file.write_text(known, encoding="utf-8")
        about = [str(file)]
    return doctor([*about, NO_LOCAL, *(each for name in left_out for each in (WITHOUT, name))])


def _settings(given: argparse.Namespace, _: Callable[[str], str]) -> int:
    """Print the settings, for Airflow's Variable."""
    _environment(given.environment)
    outputs = _infrastructure(given.environment).outputs()
    if "settings" not in outputs:
        raise RefusedError(f"there are no settings yet: `make deploy ENV={given.environment}` comes first")
    _tell([outputs["settings"]])
    return 0


def _last(target: Target, wanted: Wanted, seen: Seen) -> Deployment | None:
    """Return the last deployment, if it's of the same and was finished."""
    place = target.place(seen.outputs)
    last = next(deployments.newest(place), None) if place else None
    return last if last and last.finished and last.files == contents.hashes(wanted.files) else None


def _wanted(given: argparse.Namespace, target: Target) -> Wanted:
    if given.rollback is None:
        tag = given.image or _tag()
        return Wanted(contents.of_clone(ROOT, packed=bool(target.mwaa)), tag, build=not given.image)
    place = target.place(target.infrastructure.outputs() if target.infrastructure else {})
    if place is None:
        raise RefusedError("there is no place to look for deployments: nothing was deployed, or TO= isn't given")
    earlier = deployments.numbered(deployments.recorded(place), given.rollback)
    image = given.image or earlier.image or _tag()
    return Wanted(deployments.contents(place, earlier), image, build=False, of_clone=False)


def _tag() -> str:
    return images.tag(ROOT, load_feeds(ROOT / "dags" / "feeds")[0])


def _target(given: argparse.Namespace) -> Target:
    environment = _environment(given.environment)
    os.environ["AWS_DEFAULT_REGION"] = contents.region(environment)  # as Terraform's provider, whatever the shell says
    mwaa = contents.mwaa(environment)
    if mwaa and not given.files_only:
        _pack(ROOT / "infra" / "build")

    def place(outputs: Mapping[str, Any]) -> Place | None:
        bucket = outputs.get("airflow_bucket")
        to = given.to or (f"s3://{bucket}" if bucket else None)
        return _place(to) if to else None

    def airflow(outputs: Mapping[str, Any]) -> Airflow | None:
        if name := outputs.get("mwaa_environment"):
            return Airflow(mwaa=name)
        return Airflow.here() if os.environ.get(URL) else None

    infrastructure = None if given.files_only else _infrastructure(given.environment)
    scratch = ROOT / ".local" / "deploy" / given.environment
    return Target(given.environment, mwaa, infrastructure, place, Docker(ROOT), airflow, _waiting(), scratch)


def _pack(folder: Path) -> None:
    """Pack plugins.zip where environment files have Terraform look for it: MWAA can't be made without."""
    subprocess.run([sys.executable, ROOT / "infra" / "plugins-zip", folder / "plugins.zip"], check=True)


def _infrastructure(name: str) -> Infrastructure:
    return Terraform(ROOT, name)


def _waiting() -> Waiting:
    return Waiting(time.sleep, lambda line: _tell([line]))


def _destroy(given: argparse.Namespace, ask: Callable[[str], str]) -> int:
    """Remove an environment's infrastructure, once nothing is protected any more."""
    environment = _environment(given.environment)
    if contents.protected(environment):
        raise RefusedError(
            f"{given.environment} is protected. To destroy its files, results and ledger for good: write "
            f"deletion_protection = false into infra/environments/{given.environment}.tfvars, "
            f"`make deploy ENV={given.environment}`, then this again"
        )
    infrastructure = _infrastructure(given.environment)
    if not infrastructure.outputs():
        _tell(["nothing to destroy: nothing is there"])
        return 0
    _tell(["goes: all that Terraform made, with all files, results, images, the ledger and Airflow's history", *STAYS])
    if given.dry_run:
        return 0
    if not given.yes and ask(f"type {given.environment} to destroy it: ").strip() != given.environment:
        raise RefusedError("not confirmed")
    if contents.mwaa(environment):
        _pack(ROOT / "infra" / "build")
    infrastructure.destroy({})
    _tell([f"destroyed: {given.environment}"])
    return 0


STAYS = (
    "stays: buckets, keys and networks that were there before; Terraform's state; KMS keys for 30 more days",
    "stays: what was laid down in a folder or bucket of your own: remove its DAGs first, or they fail",
)


def _environment(name: str) -> str:
    folder = ROOT / "infra" / "environments"
    file = folder / f"{name}.tfvars"
    if not file.is_file():
        known = ", ".join(sorted(each.stem for each in folder.glob("*.tfvars")))
        raise RefusedError(f"there is no environment {name!r} in infra/environments; there are: {known}")
    return file.read_text(encoding="utf-8")


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
    parser = argparse.ArgumentParser(prog="deploy", description="Bring an environment to what this clone has, or back.")
    parser.add_argument("environment", help="name of a file in infra/environments, without .tfvars")
    parser.add_argument("--to", help="folder or s3://BUCKET/PREFIX that your own Airflow reads")
    parser.add_argument("--image", metavar="TAG", help="take this image, which is in the registry already")
    parser.add_argument("--dry-run", action="store_true", help="show the plan, change nothing")
    parser.add_argument("--files-only", action="store_true", help="leave infrastructure and image as they are")
    parser.add_argument("--yes", action="store_true", help="don't ask")
    parser.add_argument(
        "--without", metavar="CHECK", action="append", default=[], help="leave a check of the doctor out"
    )
    parser.add_argument("--rollback", type=int, metavar="NUMBER", help="lay down what that deployment did")
    parser.add_argument("--take-over", metavar="OWNER", help="take the lock of an owner who is gone")
    parser.add_argument("--settings", action="store_true", help="print the settings, for Airflow's Variable")
    parser.add_argument("--destroy", action="store_true", help="remove the environment's infrastructure")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: the same command goes on from here\n")
        sys.exit(130)
