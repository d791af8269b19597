"""`python -m aws_smoke`: makes a small environment, has three files done, says what came of it, and destroys it all.

It uses the account of the shell, or with `--local` an AWS of its own on this machine. What can't be had there is
"not tried", never passed. Whatever happens, it destroys what it has made; where it is killed before it could, or
destroying fails, `--clean-up` does it later. Exit code 0 where all that was tried passed and everything is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from tabulate import tabulate

from aws_smoke import airflow, image, looking, programs, record, terraform
from aws_smoke.looking import FAILED, NOT_TRIED, PASSED, Row
from aws_smoke.record import Begun

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
RECORDS = ROOT / ".local" / "aws-smoke"
TAG = "0.1.0"
AGAIN = "make aws-smoke ARGS=--clean-up"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments ask for; return the exit code."""
    given = _parsed(arguments)
    if given.clean_up:
        return clean_up(given.records)
    prefix = given.prefix or record.new_prefix()
    if (given.records / prefix).exists():
        return _refuse(f"{prefix} was begun and isn't destroyed: {AGAIN}")
    with airflow.local_aws(prefix, TAG) if given.local else contextlib.nullcontext():
        try:
            here = _here(prefix)
            there = looking.left(_client, prefix)
        except (BotoCoreError, ClientError) as error:
            return _refuse(f"{error}; nothing was made")
        if why := _refused(here, there) or ("" if given.yes or _confirmed(here) else "not confirmed"):
            return _refuse(f"{why}; nothing was made")
        return smoke(given.records, here)


def _refused(here: Begun, there: Sequence[str]) -> str | None:
    """Say why nothing can be made, None where it can; what is there is somebody else's, and would be destroyed."""
    if there:
        return f"expected a prefix that nothing bears, found with {here.prefix}: {', '.join(there)}"
    if not _is_local(here.endpoint) and image.engine() is None:
        return "no Docker engine answers, and the worker's image has to be pushed"
    return None


def smoke(records: Path, begun: Begun) -> int:
    """Make the environment, look at what it does, and destroy it."""
    folder = record.begin(records, begun)
    _say(f"{begun.prefix} in account {begun.account}, {begun.region}; what is made stands in {folder}")
    rows: list[Row] = []
    try:
        with programs.interruptible():
            for row in _steps(folder, begun):
                _say(f"{row.outcome}: {row.what}  {row.told}")
                rows.append(row)
    except Exception as error:  # noqa: BLE001 - whatever it is, what was made is destroyed
        rows.append(Row("to the end", FAILED, f"{type(error).__name__}: {error}"))
        _say(f"failed: {type(error).__name__}: {error}")
    rows.append(destroyed(folder, begun))
    sys.stdout.write(tabulate([(row.what, row.outcome, row.told) for row in rows], ["what", "outcome", ""]) + "\n")
    return int(any(row.outcome == FAILED for row in rows))


def _steps(folder: Path, begun: Begun) -> Iterator[Row]:
    """Yield a row for each thing that was tried, in order."""
    local, began = _is_local(begun.endpoint), time.monotonic()
    variables = {"res_prefix": begun.prefix, "region": begun.region, "deletion_protection": False, "image_tag": TAG}
    infra = terraform.copy(folder, HERE / "feeds", variables, local=local)
    shutil.copy(HERE / "smoke.tf", infra)
    outputs = terraform.Terraform(infra).apply()
    yield Row("terraform apply", PASSED, f"{time.monotonic() - began:.0f} s")
    place = airflow.place(outputs, _client, patience=30 if local else 900)
    if local:
        yield Row("image pushed", NOT_TRIED, "the local AWS has no registry; its jobs run this repository's worker")
    else:
        image.push(image.engine() or "", outputs["repository_url"], TAG, folder)
        yield Row("image pushed", PASSED, f"{outputs['repository_url']}:{TAG}")
    looking.drop(place)
    code = airflow.dags_test("smoke", folder, HERE / "feeds", place.settings)
    yield looking.passed_if("run fails, as a file does", code == 1, f"airflow dags test ended with {code}")
    yield from looking.states(place)
    rows, bill = looking.notifications(place)
    yield from rows
    yield looking.metrics(place)
    yield Row("alarm failed-files", NOT_TRIED, "the local AWS evaluates no alarms") if local else looking.alarm(place)
    yield looking.keys(place)
    yield looking.cost(place, bill, (time.monotonic() - began) / 3600)


def destroyed(folder: Path, begun: Begun) -> Row:
    """Destroy an environment and forget it; where that fails it stays on record."""
    _say(f"destroying {begun.prefix}")
    try:
        terraform.Terraform(folder / "infra").destroy()
        left = looking.left(_client, begun.prefix)
    except (programs.ProgramError, OSError, BotoCoreError, ClientError) as error:
        return Row("destroyed", FAILED, f"{error}; again: {AGAIN}")
    if left:
        told = f"still there: {', '.join(left)}; again: {AGAIN}; what stays then has to be removed by hand"
        return Row("destroyed", FAILED, told)
    record.end(folder)
    return Row("destroyed", PASSED, "nothing bears the prefix any more")


def clean_up(records: Path) -> int:
    """Destroy what earlier smoke tests have begun and not destroyed."""
    found = record.left(records)
    if not found:
        _say("nothing to clean up: all that was begun is gone")
    rows = [_cleaned(folder, begun) for folder, begun in found]
    for row in rows:
        _say(f"{row.outcome}: {row.what}  {row.told}")
    return int(any(row.outcome == FAILED for row in rows))


def _cleaned(folder: Path, begun: Begun) -> Row:
    if _is_local(begun.endpoint) and os.environ.get("AWS_ENDPOINT_URL", "") != begun.endpoint:
        record.end(folder)
        return Row(begun.prefix, PASSED, "was in a local AWS that this shell doesn't use; with that it is gone")
    here = _here(begun.prefix)
    if here.account != begun.account:
        told = f"is in account {begun.account}, and this shell's is {here.account}: take that account's credentials"
        return Row(begun.prefix, FAILED, told)
    os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = begun.region
    return destroyed(folder, begun)


def _here(prefix: str) -> Begun:
    region = boto3.Session().region_name or "eu-west-1"
    os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = region
    account = _client("sts").get_caller_identity()["Account"]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Begun(prefix, account, region, os.environ.get("AWS_ENDPOINT_URL", ""), now)


def _client(service: str) -> Any:
    return boto3.client(service)


def _is_local(endpoint: str) -> bool:
    return urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1")


def _confirmed(here: Begun) -> bool:
    told = (
        f"make {here.prefix} in account {here.account}, {here.region}, for some 0.10 USD, and destroy it again? [y/N] "
    )
    return _is_local(here.endpoint) or (sys.stdin.isatty() and input(told).strip().lower() == "y")


def _refuse(why: str) -> int:
    sys.stderr.write(f"aws-smoke: {why}\n")
    return 2


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="aws_smoke", description=str(__doc__).splitlines()[0])
    parser.add_argument("--local", action="store_true", help="in a local AWS of its own")
    parser.add_argument("--clean-up", action="store_true", help="destroy what earlier ones have left behind")
    parser.add_argument("--prefix", help="what the environment's names begin with (default: a new one each time)")
    parser.add_argument("--yes", action="store_true", help="don't ask")
    parser.add_argument("--records", type=Path, default=RECORDS, help="folder of what was begun")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
