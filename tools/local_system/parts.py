"""Airflow's four processes: started, written down, asked after and ended by their recorded ids."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from filebatch_local.base import access
from filebatch_local.batch.processes import is_same_process, signal_group
from local_system.place import HOST, LocalSystemError, Place

# Task logs are read from the disk; a server for them would listen on every interface.
COMMANDS = {
    "api-server": ("local_system.api_server", "--host", HOST),
    "triggerer": ("airflow", "triggerer", "--skip-serve-logs"),
    "dag-processor": ("airflow", "dag-processor"),
    "scheduler": ("airflow", "scheduler", "--skip-serve-logs"),
}
ENDS_WITHIN = 20.0  # seconds after SIGTERM


@dataclass(frozen=True)
class Part:
    """One process: its name, id and start, by which it is known for the same one later."""

    name: str
    pid: int
    started: float

    def is_alive(self) -> bool:
        """Tell whether it still runs."""
        return is_same_process(self.pid, self.started) and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE


def recorded(place: Place) -> list[Part]:
    """Return the parts that were started last, whether they live or not."""
    try:
        return [Part(**each) for each in json.loads(place.record.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []


def record(place: Place, parts: list[Part]) -> None:
    """Write the parts down."""
    place.record.write_text(json.dumps([asdict(part) for part in parts], indent=2), encoding="utf-8")


def start_all(place: Place, names: Iterable[str], environment: Mapping[str, str]) -> None:
    """Start parts, each written down as soon as it runs."""
    for name in names:
        record(place, [*recorded(place), start(place, name, environment)])


def start(place: Place, name: str, environment: Mapping[str, str]) -> Part:
    """Start a part in a session of its own, its output in the logs folder."""
    place.logs.mkdir(parents=True, exist_ok=True)
    with log_file(place, name).open("wb") as output:
        process = subprocess.Popen(
            [str(place.python), "-m", *COMMANDS[name], *_port(place, name)],
            env={**access.without_aws(os.environ), **environment, **place.more.get(name, {})},
            cwd=place.layout.root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Part(name, process.pid, psutil.Process(process.pid).create_time())


def _port(place: Place, name: str) -> list[str]:
    return ["--port", str(place.api_port)] if name == "api-server" else []


def stop(parts: list[Part]) -> None:
    """End parts and what they started: asked first, made to after a while."""
    living = [part for part in parts if part.is_alive()]
    for part in living:
        os.kill(part.pid, signal.SIGTERM)
    deadline = time.monotonic() + ENDS_WITHIN
    while any(part.is_alive() for part in living) and time.monotonic() < deadline:
        time.sleep(0.1)
    for part in parts:
        # What a dead part has started keeps its group; an id that is another process's by now is nobody of ours.
        if is_same_process(part.pid, part.started) or not psutil.pid_exists(part.pid):
            signal_group(part.pid, signal.SIGKILL)


def log_file(place: Place, name: str) -> Path:
    """Return where a part's output goes."""
    return place.logs / f"{name}.log"


def free_port() -> int:
    """Return a port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def refuse_taken_port(port: int, what: str, option: str) -> None:
    """Raise LocalSystemError where somebody else listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise LocalSystemError(
                f"port {port} on {HOST} is taken ({error.strerror}): expected it free for {what}. "
                f"See who has it with `ss -ltnp 'sport = :{port}'`, stop that, or choose another with {option}."
            ) from error
