"""Servers in the background: the command line's, and those that tests start."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from filebatch_local.base import access, processes
from filebatch_local.base.layout import PORT, Layout, LocalAwsError
from filebatch_local.base.processes import Process
from filebatch_local.batch.images import Images, images_to_json
from filebatch_local.batch.processes import end_leftovers
from filebatch_local.serve.serving import state_file

STARTS_WITHIN = 60.0  # seconds
ENDS_WITHIN = 15.0


@dataclass(frozen=True)
class LocalAws:
    """A running local AWS.

    Attributes:
        pid: its process.
        endpoint: its URL.
        settings: what was provisioned: the Airflow Variable `filebatch`.
        key: what each request must hold.
        feeds: the provisioned feeds.
        problems: why feed files can't be used.
        published: port on loopback at which a server in a container is reached; None for one without.
    """

    pid: int
    endpoint: str
    settings: dict[str, Any]
    key: str = field(repr=False)
    feeds: Sequence[str] = ()
    problems: Sequence[str] = ()
    published: int | None = None

    def credentials(self, who: str = access.DEVELOPER) -> dict[str, str]:
        """Return an AWS client's environment variables; recordings name it `who`."""
        return access.credentials(self.key, who)

    def client(self, service: str, who: str = access.DEVELOPER, **config: Any) -> Any:
        """Return a boto3 client; `config` is its botocore Config."""
        import boto3
        from botocore.config import Config

        session = boto3.Session(*self.credentials(who).values(), region_name=self.settings["region"])
        return session.client(
            service, endpoint_url=self.endpoint, config=Config(**{"proxies": {}, "inject_host_prefix": False, **config})
        )

    def jobs(self) -> list[dict[str, Any]]:
        """Return the running jobs: jobId, jobName, attempt, pid."""
        return list(self.ask("GET", "jobs"))

    def vanish(self, job_id: str, *, kill: bool = True) -> None:
        """Make Batch forget a job; without `kill` its process runs on."""
        self.ask("POST", f"jobs/{job_id}/vanish", {"kill": kill})

    def lose_host(self, job_id: str, status_reason: str | None = None) -> None:
        """Lose the machine of a running job, with EC2's reason or another (a Spot task's)."""
        self.ask("POST", f"jobs/{job_id}/lose-host", {"statusReason": status_reason} if status_reason else {})

    def provision(self) -> dict[str, Any]:
        """Make the server read its feeds again; return the settings."""
        return dict(self.ask("POST", "provision"))

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send a request under `/_filebatch/`; raises OSError, as HTTPError where it is refused."""
        return access.ask(self.endpoint, self.key, method, path, body)


@contextlib.contextmanager
def local_aws(
    *,
    port: int = 0,
    clock: float = 1.0,
    images: Images | None = None,
    feeds_dir: Path | None = None,
    options: Sequence[str] = (),
) -> Iterator[LocalAws]:
    """Start a server, provisioned, and end it and its jobs afterwards.

    Args:
        port: 0 for any free one.
        clock: how many seconds of Batch's clock pass in one.
        images: images that are folders of this machine; None for the repository's worker.
        feeds_dir: folder of feed files, None for none.
        options: further options of `serve`.
    """
    with tempfile.TemporaryDirectory(prefix="filebatch-aws-") as folder:
        layout = Layout.here(Path(folder))
        arguments = ["--clock", str(clock), "--tied", "--feeds", str(feeds_dir or ""), *options]
        if images is not None:
            file = Path(folder) / "images.json"
            file.write_text(json.dumps(images_to_json(images)), encoding="utf-8")
            arguments += ["--images", str(file)]
        process = start(layout, port, arguments)
        try:
            yield wait_until_up(layout, process)
        finally:
            _end(process.pid)
            process.wait()


def start(layout: Layout, port: int, arguments: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start `serve` in a session of its own, its output in the state folder's `aws.log`."""
    layout.make_state()
    command = [
        sys.executable,
        "-m",
        "filebatch_local",
        "serve",
        "--port",
        str(port),
        "--state",
        str(layout.state),
        *arguments,
    ]
    environment = {**access.without_aws(os.environ), "PYTHONPATH": f"{layout.package}:{layout.plugins}"}
    return processes.start(command, environment, log_file(layout))


def wait_until_up(layout: Layout, process: subprocess.Popen[bytes]) -> LocalAws:
    """Wait until a started server is provisioned.

    Raises:
        LocalAwsError: it ended or took too long; with the last line of its log.
    """
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline:
        found = running(layout)
        if found and found.pid == process.pid:
            return found
        if process.poll() is not None:
            raise LocalAwsError(_last_log_line(layout))
        time.sleep(0.02)
    _end(process.pid)
    raise LocalAwsError(f"the local AWS was not up after {STARTS_WITHIN:.0f} s; its log: {log_file(layout)}")


def running(layout: Layout) -> LocalAws | None:
    """Return the server that wrote the state file, None if it is gone."""
    try:
        found = json.loads(state_file(layout).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if not Process(found["pid"], found["started"]).is_alive():
        return None
    key = layout.key_file.read_text(encoding="ascii")
    names = ("endpoint", "settings", "feeds", "problems", "published")
    return LocalAws(pid=found["pid"], key=key, **{name: found[name] for name in names})


def up(layout: Layout, port: int = PORT, arguments: Sequence[str] = ()) -> tuple[LocalAws, bool]:
    """Start the server unless it runs; one that runs reads its feeds again. Tell whether it was started."""
    found = running(layout)
    if found is None:
        return wait_until_up(layout, start(layout, port, arguments)), True
    found.provision()
    return running(layout) or found, False


def down(layout: Layout) -> bool:
    """Stop the server and all it started; tell whether there was one."""
    found = running(layout)
    if found:
        _end(found.pid)
    state_file(layout).unlink(missing_ok=True)
    return bool(end_leftovers(layout.scratch)) or found is not None


def log_file(layout: Layout) -> Path:
    """Return where the server's output goes."""
    return layout.state / "aws.log"


def _end(pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        processes.stop([Process.of(pid)], ENDS_WITHIN)


def _last_log_line(layout: Layout) -> str:
    lines = log_file(layout).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else f"the local AWS ended and wrote nothing to its log: {log_file(layout)}"
