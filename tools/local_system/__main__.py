"""`python -m local_system up|down|status`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from filebatch_local.base.layout import PORT, Layout, LocalAwsError
from filebatch_local.serve.background import LocalAws
from filebatch_local.serve.background import log_file as aws_log
from local_system import parts
from local_system.config import API_PORT, Config, LocalSystemError
from local_system.system import Status, down, status, up

NOT_RUNNING = 3  # status's exit code, as of an init script
STARTS = ": `make up` starts it"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    options = _parser().parse_args(arguments)
    config = Config(Layout.here(options.state), Path(sys.executable), options.aws_port, options.api_port)
    try:
        return {"up": _up, "down": _down, "status": _status}[options.command](config)
    except (LocalSystemError, LocalAwsError) as error:
        _say(str(error))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="local_system", description="Local AWS and Airflow, as a whole.")
    parser.add_argument("command", choices=("up", "down", "status"))
    parser.add_argument("--state", type=Path, help="folder for state and logs (default: .local)")
    parser.add_argument(
        "--aws-port",
        type=int,
        default=os.environ.get("FILEBATCH_AWS_PORT", str(PORT)),
        help=f"port of the local AWS (default: {PORT})",
    )
    parser.add_argument(
        "--api-port",
        type=int,
        default=os.environ.get("FILEBATCH_AIRFLOW_PORT", str(API_PORT)),
        help=f"port of Airflow (default: {API_PORT})",
    )
    return parser


def _up(config: Config) -> int:
    found = status(config)
    if found.parts and not found.healthy:
        _say(_problems(config, found) + "; `make down` ends the rest")
        return 1
    if found.parts and found.aws:
        _say("up already")
        _show(config, found.aws)
        return 0
    _say("starting the local AWS and Airflow (half a minute) ...")
    _show(config, up(config))
    return 0


def _down(config: Config) -> int:
    _say("stopped" if down(config) else "was not running")
    return 0


def _status(config: Config) -> int:
    found = status(config)
    if found.down:
        _say((f"not running any more (logs: {config.logs})" if found.parts else "not running") + STARTS)
        return NOT_RUNNING
    if not found.parts and found.aws:
        _say(f"only the local AWS runs, at {found.aws.endpoint}, and no Airflow{STARTS}")
        return NOT_RUNNING
    if not found.healthy or not found.aws:
        _say(_problems(config, found))
        return 1
    _say("up and healthy")
    _show(config, found.aws)
    return 0


def _problems(config: Config, found: Status) -> str:
    told = [f"{name} has ended (log: {parts.log_file(config, name)})" for name in found.dead]
    told += [f"Airflow does not call it healthy: {part}" for part in found.unhealthy]
    return "; ".join(told)


def _show(config: Config, aws: LocalAws) -> None:
    bucket = aws.settings["buckets"]["new_files"]
    _say(f"Airflow      {config.api.login}  (the link logs you in)")
    _say(f"local AWS    {aws.endpoint}")
    _say(f'drop a file  eval "$(make -s env)"; aws s3 cp FILE s3://{bucket}/tables/')
    _say(f"messages     {config.layout.messages}  (what people are told by e-mail)")
    _say(f"logs         {config.logs} and {aws_log(config.layout)}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
