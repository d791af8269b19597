"""Airflow's four processes: started, recorded, and found and ended by their records."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from filebatch_local.base import access, processes
from filebatch_local.base.processes import Process
from local_system.config import HOST, Config

# Task logs are read from the disk; a server for them would listen on every interface.
COMMANDS = {
    "api-server": ("local_system.api_server", "--host", HOST),
    "triggerer": ("airflow", "triggerer", "--skip-serve-logs"),
    "dag-processor": ("airflow", "dag-processor"),
    "scheduler": ("airflow", "scheduler", "--skip-serve-logs"),
}
ENDS_WITHIN = 20.0  # seconds after SIGTERM


@dataclass(frozen=True)
class Part(Process):
    """One of these processes, by its name in `COMMANDS`."""

    name: str


def recorded(config: Config) -> list[Part]:
    """Return the parts that were started last, running or not."""
    try:
        return [Part(**each) for each in json.loads(config.record.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []


def record(config: Config, parts: list[Part]) -> None:
    """Record the parts."""
    config.record.write_text(json.dumps([asdict(part) for part in parts], indent=2), encoding="utf-8")


def start_all(config: Config, names: Iterable[str], environment: Mapping[str, str]) -> None:
    """Start parts; record each as soon as it runs."""
    for name in names:
        record(config, [*recorded(config), start(config, name, environment)])


def start(config: Config, name: str, environment: Mapping[str, str]) -> Part:
    """Start a part, its output in the logs folder."""
    config.logs.mkdir(parents=True, exist_ok=True)
    started = processes.start(
        [str(config.python), "-m", *COMMANDS[name], *_port(config, name)],
        {**access.without_aws(os.environ), **environment, **config.extra_environment.get(name, {})},
        log_file(config, name),
        config.layout.root,
    )
    found = Process.of(started.pid)
    return Part(found.pid, found.started, name)


def _port(config: Config, name: str) -> list[str]:
    return ["--port", str(config.api_port)] if name == "api-server" else []


def stop(parts: Collection[Part]) -> None:
    """End parts and what they started."""
    processes.stop(parts, ENDS_WITHIN)


def log_file(config: Config, name: str) -> Path:
    """Return where a part's output goes."""
    return config.logs / f"{name}.log"
