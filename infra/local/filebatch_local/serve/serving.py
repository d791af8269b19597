"""One server process: takes its port, provisions, serves, ends its jobs."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filebatch_local.base import access, ports
from filebatch_local.base.clock import Clock
from filebatch_local.base.layout import HOST, REGION, Layout
from filebatch_local.base.mean import Mean
from filebatch_local.base.processes import Process
from filebatch_local.base.proxies import without_proxy
from filebatch_local.batch.images import Images, Platform
from filebatch_local.provision import feed_watch
from filebatch_local.serve.gate import Names
from filebatch_local.serve.shell import environment

if TYPE_CHECKING:
    from filebatch_local.provision.environment import Provisioned, Provisioner

log = logging.getLogger("filebatch_local")


@dataclass(frozen=True)
class Service:
    """What a server is started with.

    Attributes:
        layout: folders of documents and state.
        images: images that are folders of this machine.
        port: its port; 0 for any free one.
        feeds: folder of feed files, None for none.
        clock: how fast Batch's time runs.
        vcpus: maxvCpus of the compute environment.
        start_delay: seconds of the clock that a job stays STARTING.
        docker: run other images with the Docker engine, where there is one.
        tied: end when the process that started it does.
        host: the name or address it listens at, which is also the one in its URLs (queues have some). Whoever has
            the key can do anything with it, jobs included: another than loopback is for a network of containers.
        published: port on loopback under which it is reached as well, as a container's may be; None for none.
        keep_key: use the key of the last start again.
        record: file that each request is appended to, None for none.
        mwaa_takes: seconds that making or updating an environment of Amazon MWAA takes; None for as long as AWS.
        mean: what goes wrong on purpose.
        latency: seconds that a request takes at least.
    """

    layout: Layout
    images: Images
    port: int
    feeds: Path | None
    clock: Clock = field(default_factory=Clock)
    vcpus: int = 4
    start_delay: float = 0.0
    docker: bool = False
    tied: bool = False
    host: str = HOST
    published: int | None = None
    keep_key: bool = False
    record: Path | None = None
    mwaa_takes: float | None = None
    mean: Mean = field(default_factory=Mean)
    latency: float = 0.0


def serve(service: Service) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        LocalAwsError: the port is taken, the host is none of this machine's, or others may read the state folder.
    """
    from filebatch_local.batch.processes import end_leftovers

    listener = ports.listen(service.port, service.host)
    with models_read_once():
        from filebatch_local.moto_gaps import sns
        from filebatch_local.serve import server

    os.environ |= without_proxy(os.environ, service.host)
    stop = _stop_on_signal()
    service.layout.make_state()
    sns.install(service.layout.messages)
    end_leftovers(service.layout.scratch)
    port = listener.getsockname()[1]
    endpoint, names = f"http://{service.host}:{port}", Names.of(service.host, port, service.published)
    key = access.key_of_this_start(service.layout.key_file, keep=service.keep_key)
    provisioning = Provisioning(service, endpoint, key)
    admin = server.Admin(provisioning.run, _mwaa(service, endpoint, key), provisioning.state, service.mean)
    runtime = _runtime(service, endpoint, key)
    web = server.make(listener, runtime, admin, names, key, service.record, service.latency)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    try:
        seen = feed_watch.read(service.feeds) if service.feeds else {}
        provisioning.run()
        log.info("local AWS is up at %s", endpoint)
        if service.feeds:
            arguments = (service.feeds, seen, stop, provisioning.run, provisioning.remove)
            threading.Thread(target=feed_watch.watch, args=arguments, daemon=True).start()
        _wait(stop, tied=service.tied)
    finally:
        state_file(service.layout).unlink(missing_ok=True)
        server.stop_jobs()


@contextlib.contextmanager
def models_read_once() -> Iterator[None]:
    """Cache botocore's models while moto is imported, which reads EC2's, of several megabytes, three times.

    No longer than that: moto changes what it reads afterwards.
    """
    from botocore.loaders import JSONFileLoader

    as_it_was = JSONFileLoader.load_file
    read = functools.cache(functools.partial(as_it_was, JSONFileLoader()))
    JSONFileLoader.load_file = lambda _, path: read(path)
    try:
        yield
    finally:
        JSONFileLoader.load_file = as_it_was


def state_file(layout: Layout) -> Path:
    """Return the file with a running server's process and endpoint."""
    return layout.state / "aws.json"


def _runtime(service: Service, endpoint: str, key: str) -> Any:
    from filebatch_local.batch.attempts import Runtime
    from filebatch_local.batch.containers import Containers

    containers = Containers.find() if service.docker else None
    platform = Platform(endpoint, REGION, key)
    return Runtime(
        service.images,
        platform,
        service.layout.scratch,
        service.clock,
        service.start_delay,
        containers,
        service.mean,
    )


def _mwaa(service: Service, endpoint: str, key: str) -> Any:
    import boto3

    from filebatch_local.mwaa import runs
    from filebatch_local.mwaa.service import TAKES, Mwaa

    session = boto3.Session(*access.credentials(key, "mwaa").values(), region_name=REGION)
    make, one_at_a_time = functools.cache(functools.partial(session.client, endpoint_url=endpoint)), threading.Lock()

    def client(service_name: str) -> Any:
        with one_at_a_time:  # a session makes clients in one thread at a time
            return make(service_name)

    database = Layout.here().airflow_home(Path(sys.prefix)) / "pristine.db"
    run = runs.runner(client, lambda settings: environment(service.layout, endpoint, settings, key), database)
    return Mwaa(client, REGION, run, TAKES if service.mwaa_takes is None else service.mwaa_takes)


class Provisioning:
    """Provisions a server's environment, one call at a time.

    Attributes:
        state: `pid`, and once provisioned `settings` and `problems`.
    """

    def __init__(self, service: Service, endpoint: str, key: str) -> None:
        self._service = service
        self._endpoint = endpoint
        self._key = key
        self._lock = threading.Lock()
        self.state: dict[str, Any] = {"pid": os.getpid()}

    def run(self) -> Sequence[str]:
        """Create what is missing; return the names of the feeds that can be used, and log which can't."""
        with self._lock:
            done: Provisioned = self._provisioner().run()
            for problem in done.problems:
                log.warning("feed left out: %s", problem)
            self.state |= {"settings": done.settings, "problems": done.problems}
            where = {"endpoint": self._endpoint, "published": self._service.published}
            _write_state(self._service.layout, {**where, **asdict(done)})
            return done.feeds

    def remove(self, feeds: Iterable[str]) -> None:
        """Remove these feeds' resources."""
        with self._lock:
            provisioner = self._provisioner()
            for feed in feeds:
                provisioner.remove(feed)

    def _provisioner(self) -> Provisioner:
        from filebatch_local.provision.environment import Plan, Provisioner

        service, layout = self._service, self._service.layout
        failures = layout.plugins / "filebatch" / "core" / "failures.json"
        plan = Plan(
            self._endpoint, self._key, layout.documents, failures, layout.dockerfile, service.feeds, service.vcpus
        )
        return Provisioner(plan)


def _write_state(layout: Layout, found: dict[str, Any]) -> None:
    process = asdict(Process.of(os.getpid()))
    unfinished = state_file(layout).with_suffix(".new")
    unfinished.write_text(json.dumps({**process, **found}, indent=2), encoding="utf-8")
    unfinished.replace(state_file(layout))


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _wait(stop: threading.Event, *, tied: bool) -> None:
    parent = os.getppid()
    while not stop.wait(1 if tied else None):
        if os.getppid() != parent:
            return
