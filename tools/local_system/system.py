"""Starts, stops and checks the whole local system."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from filebatch_local.base import access, ports
from filebatch_local.serve import background
from filebatch_local.serve.background import LocalAws
from local_system import airflow, parts
from local_system.config import HOST, Config, LocalSystemError, airflow_environment

HEALTHY_WITHIN = 180.0  # seconds; Airflow's four processes start slowly on two cores
ASKED_EVERY = 0.5
FIRST = ("api-server", "dag-processor")


@dataclass(frozen=True)
class Status:
    """What is running.

    Attributes:
        aws: the local AWS, None if it's gone.
        parts: the parts that were started, and whether each runs.
        unhealthy: the parts that Airflow calls unhealthy.
        dags: Airflow's unpaused DAGs.
    """

    aws: LocalAws | None
    parts: Mapping[str, bool]
    unhealthy: Sequence[str]
    dags: Sequence[str]

    @property
    def down(self) -> bool:
        """Whether nothing runs."""
        return self.aws is None and not any(self.parts.values())

    @property
    def dead(self) -> list[str]:
        """The parts that were started and have ended."""
        lost = [name for name, alive in self.parts.items() if not alive]
        return lost if self.aws or not self.parts else ["local AWS", *lost]

    @property
    def healthy(self) -> bool:
        """Whether all parts run and are healthy."""
        return bool(self.aws and self.parts and not self.dead and not self.unhealthy)


def status(config: Config) -> Status:
    """Check every part."""
    started = parts.recorded(config)
    found = {part.name: part.is_alive() for part in started}
    since = max((part.started for part in started), default=0.0)
    return Status(
        background.running(config.layout),
        found,
        airflow.unhealthy(config.api, since) if started else [],
        airflow.unpaused(config.api) if started else [],
    )


def up(config: Config, aws_options: Sequence[str] = ()) -> LocalAws:
    """Start everything and wait until it's healthy; return the local AWS.

    Raises:
        LocalAwsError: a port is taken.
        LocalSystemError: a part ended, or it took too long; nothing is left running then.
    """
    ports.listen(config.api_port, HOST, "Airflow's API server", "FILEBATCH_AIRFLOW_PORT").close()
    aws, _ = background.up(config.layout, config.aws_port, aws_options)
    environment = airflow_environment(config, aws.endpoint, aws.settings, aws.key)
    airflow.new_password(config.passwords)
    try:
        _make_database(config, environment)
        # A task that can't reach the API server is lost for a minute: no task starts before it answers.
        parts.start_all(config, FIRST, environment)
        _wait(config, lambda found: "api-server" not in found.unhealthy)
        parts.start_all(config, [name for name in parts.COMMANDS if name not in FIRST], environment)
        _wait(config, lambda found: found.healthy and _are_unpaused(config, set(aws.feeds), set(found.dags)))
        _wait(config, lambda _: set(aws.feeds) <= airflow.watched(config.api))
    except BaseException:
        down(config)
        raise
    return aws


def down(config: Config) -> bool:
    """Stop what was started; tell whether there was anything."""
    started = parts.recorded(config)
    parts.stop(started)
    config.record.unlink(missing_ok=True)
    return background.down(config.layout) or bool(started)


def _make_database(config: Config, environment: Mapping[str, str]) -> None:
    """Make or migrate Airflow's database, unless that was done for this Airflow."""
    version = config.python.parents[1].name
    marker = config.home / ".system-database"
    if marker.exists() and marker.read_text(encoding="utf-8") == version:
        return
    log = config.home / "migrate.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [str(config.python), "-m", "airflow", "db", "migrate"],
            env={**access.without_aws(os.environ), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise LocalSystemError(f"Airflow's database could not be made; see {log}")
    marker.write_text(version, encoding="utf-8")


def _are_unpaused(config: Config, feeds: set[str], unpaused: set[str]) -> bool:
    """Unpause the feeds that an earlier `airflow dags test` left paused; tell whether all are unpaused."""
    for feed in feeds - unpaused:
        airflow.unpause(config.api, feed)
    return feeds <= unpaused


def _wait(config: Config, ready: Callable[[Status], bool]) -> None:
    deadline = time.monotonic() + HEALTHY_WITHIN
    while not ready(found := status(config)):
        if found.dead:
            logs = ", ".join(str(parts.log_file(config, name)) for name in found.dead)
            raise LocalSystemError(f"ended: {', '.join(found.dead)}; see {logs}")
        if time.monotonic() > deadline:
            told = f"unhealthy: {', '.join(found.unhealthy) or 'none'}; DAGs: {', '.join(found.dags) or 'none'}"
            raise LocalSystemError(f"not healthy after {HEALTHY_WITHIN:.0f} s; {told}; logs: {config.logs}")
        time.sleep(ASKED_EVERY)
