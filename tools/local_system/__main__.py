"""`python -m local_system up|down|status`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from filebatch_local.base.layout import PORT, Layout, LocalAwsError
from filebatch_local.serve.background import LocalAws
from filebatch_local.serve.background import log_file as aws_log
from local_system import parts
from local_system.place import API_PORT, LocalSystemError, Place
from local_system.system import Status, down, status, up

NOT_RUNNING = 3  # status's exit code, as of an init script


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    options = _parser().parse_args(arguments)
    place = Place(Layout.here(options.state), Path(sys.executable), options.aws_port, options.api_port)
    try:
        return {"up": _up, "down": _down, "status": _status}[options.command](place)
    except (LocalSystemError, LocalAwsError) as error:
        _say(str(error))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="local_system", description="Local AWS and Airflow, as a whole.")
    parser.add_argument("command", choices=("up", "down", "status"))
    parser.add_argument("--state", type=Path, help="folder for state and logs (default: .local)")
    parser.add_argument("--aws-port", type=int, default=PORT, help=f"port of the local AWS (default: {PORT})")
    parser.add_argument("--api-port", type=int, default=API_PORT, help=f"port of Airflow (default: {API_PORT})")
    return parser


def _up(place: Place) -> int:
    found = status(place)
    if found.parts and not found.healthy:
        _say(_complaint(place, found) + "; `make down` ends the rest")
        return 1
    if found.parts and found.aws:
        _say("was up already")
        _show(place, found.aws)
        return 0
    _say("starting the local AWS and Airflow (half a minute) ...")
    _show(place, up(place))
    return 0


def _down(place: Place) -> int:
    _say("stopped" if down(place) else "was not running")
    return 0


def _status(place: Place) -> int:
    found = status(place)
    if found.down:
        _say("not running" + (f" any more; logs: {place.logs}" if found.parts else ""))
        return NOT_RUNNING
    if not found.parts and found.aws:
        _say(f"only the local AWS runs, at {found.aws.endpoint}")
        return NOT_RUNNING
    if not found.healthy or not found.aws:
        _say(_complaint(place, found))
        return 1
    _say("up and healthy")
    _show(place, found.aws)
    return 0


def _complaint(place: Place, found: Status) -> str:
    told = [f"{name} has ended (log: {parts.log_file(place, name)})" for name in found.dead]
    told += [f"Airflow does not call it healthy: {part}" for part in found.ill]
    return "; ".join(told)


def _show(place: Place, aws: LocalAws) -> None:
    bucket = aws.settings["buckets"]["new_files"]
    _say(f"Airflow      {place.api.login}  (the link logs you in)")
    _say(f"local AWS    {aws.endpoint}")
    _say(f'drop a file  eval "$(make -s env)"; aws s3 cp FILE s3://{bucket}/tables/')
    _say(f"logs         {place.logs} and {aws_log(place.layout)}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
