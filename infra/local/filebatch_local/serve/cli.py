"""`python -m filebatch_local serve|up|down|env|status`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NoReturn

from filebatch_local.base import access
from filebatch_local.base.clock import Clock
from filebatch_local.base.layout import HOST, PORT, Layout, LocalAwsError
from filebatch_local.batch import images

NOT_RUNNING = 3  # status's exit code, as of an init script


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
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
            command.add_argument("--port", type=int, default=PORT, help=f"port on loopback (default: {PORT})")
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
    serve.add_argument("--docker", action="store_true", help="run other images with the Docker engine")
    serve.add_argument("--record", type=Path, help="append each request to this file, a line of JSON each")
    serve.add_argument("--tied", action="store_true", help="end when the process that started it does")


def _serve(layout: Layout, options: argparse.Namespace) -> NoReturn:
    from filebatch_local.serve.serving import Service, serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for noisy in ("botocore", "boto3", "werkzeug", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    listed = json.loads(options.images.read_text(encoding="utf-8")) if options.images else None
    service = Service(
        layout=layout,
        images=images.of_repository(layout) if listed is None else images.images_from_json(listed),
        port=options.port,
        feeds=layout.feeds if options.feeds is None else (Path(options.feeds) if options.feeds else None),
        clock=Clock(options.clock),
        vcpus=options.vcpus,
        start_delay=options.start_delay,
        docker=options.docker,
        tied=options.tied,
        host=options.host,
        published=options.published,
        keep_key=options.keep_key,
        record=options.record,
    )
    serve(service)
    logging.shutdown()
    os._exit(0)  # everything is ended and nothing to save; taking moto apart would cost a second


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

    found, scripts = running(layout), Path(__file__).parent
    if found is None:
        _say((scripts / "not_running.sh").read_text(encoding="utf-8"))
        raise LocalAwsError("the local AWS is not running: start it with `python -m filebatch_local up`")
    shell = environment(layout, found.endpoint, found.settings, found.key)
    lines = _outside(shell, found.published) if found.published else [*_exports(shell), _path(layout)]
    _say((scripts / "shell.sh").read_text(encoding="utf-8").replace("@exports@", "\n".join(lines)))
    return 0


def _exports(shell: Mapping[str, str]) -> list[str]:
    return [f"export {name}={shlex.quote(value)}" for name, value in shell.items()]


def _path(layout: Layout) -> str:
    """Put our `aws` first, which asks the local AWS and no other; of AWS CLIs a user's own before the repository's."""
    ours, airflow, cli = layout.root / "infra" / "local" / "bin", Path(sys.executable).parent, layout.root / ".venv-cli"
    return f'export PATH={shlex.quote(f"{ours}:{airflow}")}:"$PATH":{shlex.quote(str(cli / "bin"))}'


def _outside(shell: Mapping[str, str], port: int) -> list[str]:
    """Return the lines of a shell outside the server's container, where neither its paths nor its Airflow are."""
    endpoint = f"http://{HOST}:{port}"
    known = {name: value for name, value in shell.items() if name.startswith("AWS_")} | {"AWS_ENDPOINT_URL": endpoint}
    return [*_exports(known), f"eval 'aws() {{ command aws \"$@\" --endpoint-url {endpoint}; }}'"]


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


def environment(layout: Layout, endpoint: str, settings: Mapping[str, object], key: str) -> dict[str, str]:
    """Return what a shell needs for `airflow`, `aws` and boto3 to talk to the local AWS with its settings."""
    region = str(settings["region"])
    return {
        "AWS_ENDPOINT_URL": endpoint,
        **access.credentials(key),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        # No profile, role or endpoint of a real account can be reached from here.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AIRFLOW_HOME": str(layout.airflow_home(Path(sys.prefix))),
        "AIRFLOW__CORE__DAGS_FOLDER": str(layout.root / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(layout.plugins),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # No secret lies in a local Airflow's database, and every shell and process has to be able to read it.
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        "AIRFLOW_VAR_FILEBATCH": json.dumps(settings),
    }


def take_over(shell: Mapping[str, str]) -> None:
    """Have this process talk to the local AWS, and to no other: no AWS_ variable that it was started with stays."""
    for name in os.environ.keys() - access.without_aws(os.environ).keys():
        del os.environ[name]
    os.environ.update({name: value for name, value in shell.items() if name.startswith("AWS_")})
