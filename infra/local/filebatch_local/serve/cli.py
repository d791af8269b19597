"""`python -m filebatch_local serve|up|down|env|status`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NoReturn

from filebatch_local.base.clock import Clock
from filebatch_local.base.layout import HOST, PORT, WORKER_IMAGE, Layout, LocalAwsError
from filebatch_local.base.mean import OF, Mean
from filebatch_local.batch import images
from filebatch_local.serve import shell

PROCESSES, CONTAINERS = "processes", "containers"
NOT_RUNNING = 3  # status's exit code, as of an init script


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    options, rest = _parser().parse_known_args(arguments)
    if rest and options.command != "up":
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    layout = Layout.here(options.state)
    try:
        match options.command:
            case "serve":
                _serve(layout, options)
            case "up":
                return _up(layout, options.port, rest)
            case "down":
                return _down(layout)
            case "env":
                return _env(layout)
            case _:
                return _status(layout)
    except LocalAwsError as error:
        _say(str(error), sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="filebatch_local", description="The local AWS: moto, with a Batch that runs jobs."
    )
    parser.add_argument("--state", type=Path, help="folder for process id, settings, logs and jobs (default: .local)")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("up", "start it in the background, provisioned; further options are those of serve"),
        ("down", "stop it and everything it started"),
        ("env", 'print shell exports: eval "$(… env)"'),
        ("status", "say whether it runs, and where"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--state", type=Path, default=argparse.SUPPRESS)
        if name == "up":
            default = os.environ.get("FILEBATCH_AWS_PORT", str(PORT))
            command.add_argument("--port", type=int, default=default, help=f"port on loopback (default: {PORT})")
    _add_serve(commands.add_parser("serve", help="run it in the foreground"))
    return parser


def _add_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--state", type=Path, default=argparse.SUPPRESS)
    serve.add_argument("--port", type=int, default=PORT, help=f"port, 0 for any free one (default: {PORT})")
    serve.add_argument(
        "--host",
        default=HOST,
        help=f"name or address to listen at and be called by; whoever has the key may run jobs (default: {HOST})",
    )
    serve.add_argument("--published", type=int, help="port on loopback under which it is reached, too (a container's)")
    serve.add_argument("--keep-key", action="store_true", help="go on with the access key of the last start")
    serve.add_argument("--feeds", help='folder of feed files, "" for none (default: dags/feeds)')
    serve.add_argument(
        "--images", type=Path, help='JSON file {image: {"path": [folder], "env": {}}} in place of the worker'
    )
    serve.add_argument(
        "--clock", type=float, default=1.0, help="how many seconds Batch's clock runs in one (default: 1)"
    )
    serve.add_argument("--vcpus", type=int, default=4, help="vCPUs that jobs may have together (default: 4)")
    serve.add_argument("--start-delay", type=float, default=0.0, help="seconds that a job stays STARTING (default: 0)")
    serve.add_argument(
        "--mwaa-takes", type=float, help="seconds that MWAA takes to make or update an environment (AWS: 1500)"
    )
    serve.add_argument("--docker", action="store_true", help="run other images with the Docker engine")
    serve.add_argument(
        "--jobs",
        choices=(PROCESSES, CONTAINERS),
        default=PROCESSES,
        help=f"what the worker's jobs are; containers need the image {WORKER_IMAGE} (default: {PROCESSES})",
    )
    serve.add_argument("--record", type=Path, help="append each request to this file, a line of JSON each")
    serve.add_argument(
        "--mean", type=int, metavar="SEED", help="be AWS at its meanest: what goes wrong, a seed decides"
    )
    serve.add_argument(
        "--mean-of",
        choices=OF,
        default="all",
        help="what may go wrong: requests; most, with messages and jobs; all, with who does a file (default: all)",
    )
    serve.add_argument("--latency", type=float, default=0.0, help="seconds that a request takes at least (default: 0)")
    serve.add_argument("--tied", action="store_true", help="end when the process that started it does")


def _serve(layout: Layout, options: argparse.Namespace) -> NoReturn:
    from filebatch_local.batch import containers
    from filebatch_local.serve.serving import Service, serve

    if options.jobs == CONTAINERS:
        containers.check(WORKER_IMAGE)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for noisy in ("botocore", "boto3", "werkzeug", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    service = Service(
        layout=layout,
        images=_images(layout, options),
        port=options.port,
        feeds=layout.feeds if options.feeds is None else (Path(options.feeds) if options.feeds else None),
        clock=Clock(options.clock),
        vcpus=options.vcpus,
        start_delay=options.start_delay,
        docker=options.docker or options.jobs == CONTAINERS,
        tied=options.tied,
        host=options.host,
        published=options.published,
        keep_key=options.keep_key,
        record=options.record,
        mwaa_takes=options.mwaa_takes,
        mean=Mean(options.mean, options.mean_of),
        latency=options.latency,
    )
    serve(service)
    logging.shutdown()
    os._exit(0)  # all has ended and is saved; Python's own exit would take a second for moto


def _images(layout: Layout, options: argparse.Namespace) -> images.Images:
    if options.images:
        return images.images_from_json(json.loads(options.images.read_text(encoding="utf-8")))
    return {} if options.jobs == CONTAINERS else images.of_repository(layout)


def _up(layout: Layout, port: int, arguments: Sequence[str]) -> int:
    from filebatch_local.serve.background import log_file, up

    found, started = up(layout, port, arguments)
    state = "is up" if started else "was up already and has read its feeds again"
    _say(f"local AWS {state}: {found.endpoint} (pid {found.pid}, log {log_file(layout)})")
    for problem in found.problems:
        _say(f"feed left out: {problem}", sys.stderr)
    return 0


def _down(layout: Layout) -> int:
    from filebatch_local.serve.background import down

    _say("local AWS stopped" if down(layout) else "local AWS was not running")
    return 0


def _env(layout: Layout) -> int:
    from filebatch_local.serve.background import running

    found = running(layout)
    if found is None:
        _say(shell.blocked())
        raise LocalAwsError("no local AWS runs: start it with `make aws`, or with `make up` to have Airflow, too")
    variables = shell.environment(layout, found.endpoint, found.settings, found.key)
    _say(shell.script(layout, variables, found.published))
    return 0


def _status(layout: Layout) -> int:
    from filebatch_local.serve.background import running

    found = running(layout)
    if found is None:
        _say("local AWS is not running")
        return NOT_RUNNING
    _say(f"local AWS is up at {found.endpoint} (pid {found.pid}), {len(found.jobs())} jobs running")
    return 0


def _say(text: str, where: IO[str] | None = None) -> None:
    (where or sys.stdout).write(f"{text}\n")
