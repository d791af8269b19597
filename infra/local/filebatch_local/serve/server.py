"""The server: moto's services, Batch that runs jobs, and `/_filebatch/` for its command line and for tests.

GET  /_filebatch/health                 {"pid", "settings"}: 200 once provisioned, 503 until then
GET  /_filebatch/network                {"subnets", "securityGroupIds"} of the default VPC
GET  /_filebatch/mean                   {"seed", "happened"}: how often each kind of fault and mishap has happened
GET  /_filebatch/jobs                   running jobs: [{"jobId", "jobName", "attempt", "pid"}]
POST /_filebatch/jobs/ID/vanish         Batch forgets the job; {"kill": false} leaves its process running
POST /_filebatch/jobs/ID/lose-host      its machine is lost; {"statusReason"} for another than EC2's
POST /_filebatch/mwaa/NAME/fail         the next change of this MWAA environment fails: {"error": why}
POST /_filebatch/provision              read the feeds again and provision what is missing; answers the settings
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from moto.moto_server import werkzeug_app as moto_server
from werkzeug.exceptions import NotFound
from werkzeug.serving import BaseWSGIServer, make_server

from filebatch_local.base.layout import REGION
from filebatch_local.base.mean import Mean
from filebatch_local.batch import api
from filebatch_local.batch.attempts import SPOT, Runtime
from filebatch_local.batch.backend import LocalBatch
from filebatch_local.moto_gaps import cloudwatch, dynamodb, ec2, events, refusing, s3, speed, sqs
from filebatch_local.mwaa.service import Mwaa
from filebatch_local.serve.connections import Handler
from filebatch_local.serve.gate import Gate, Names
from filebatch_local.serve.meanness import Meanness
from filebatch_local.serve.recording import Recorder

PREFIX = "/_filebatch/"

Answer = tuple[HTTPStatus, Any]


def make(
    listener: socket.socket,
    runtime: Runtime,
    admin: Admin,
    names: Names,
    key: str,
    record: Path | None,
    latency: float = 0.0,
) -> BaseWSGIServer:
    """Return the server, ready for `serve_forever`. It changes moto for the whole process.

    Args:
        listener: the bound port.
        runtime: what jobs run on.
        admin: answers what is asked under `/_filebatch/`.
        names: the server's names; requests with another Host are refused.
        key: what requests must hold.
        record: file that each request is appended to, None for none.
        latency: seconds that a request takes at least.
    """
    moto_server.DISABLE_GLOBAL_CORS = True
    s3.install()
    events.install(runtime.mean)
    sqs.install(runtime.mean)
    dynamodb.install(runtime.mean)
    cloudwatch.install()
    ec2.install()
    refusing.install()
    speed.install()
    api.install(runtime)
    app: Any = dynamodb.OneAtATime(moto_server.DomainDispatcherApplication(_service))
    app = admin.mwaa.in_front_of(app)
    app = Recorder(app, record) if record else app
    if runtime.mean.seed is not None or latency:
        app = Meanness(app, runtime.mean, latency)
    app = Gate(admin.in_front_of(app), names, key)
    host, port = listener.getsockname()
    return make_server(host, port, app, threaded=True, request_handler=Handler, fd=listener.fileno())


def _service(name: str) -> Any:
    """Return moto's application for a service; moto's own API (reset, recorder) isn't served."""
    return NotFound() if name.startswith("moto_api") else moto_server.create_backend_app(name)


def stop_jobs() -> None:
    """End every job's process."""
    for backend in api.backends():
        backend.scheduler.stop()


@dataclass
class Admin:
    """Answers requests under `/_filebatch/`.

    Attributes:
        provision: reads the feeds, creates what is missing, and puts the settings into the state.
        mwaa: the environments of Amazon MWAA.
        state: what `health` answers, beside its status.
        mean: what goes wrong on purpose.
    """

    provision: Callable[[], object]
    mwaa: Mwaa
    state: dict[str, Any] = field(default_factory=dict)
    mean: Mean = field(default_factory=Mean)

    def in_front_of(self, app: Any) -> Any:
        """Return a WSGI application that answers these paths and passes on all others."""

        def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            path = environ.get("PATH_INFO", "")
            if not path.startswith(PREFIX):
                return app(environ, start_response)  # type: ignore[no-any-return]  # WSGI
            status, found = self._route(environ["REQUEST_METHOD"], path.removeprefix(PREFIX), _body(environ))
            start_response(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
            return [json.dumps(found).encode()]

        return answer

    def _route(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        match method, path:
            case "GET", "health":
                ready = "settings" in self.state
                return (HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE), self.state
            case "GET", "network":
                return HTTPStatus.OK, _default_network()
            case "GET", "mean":
                return HTTPStatus.OK, {"seed": self.mean.seed, "happened": self.mean.happened}
            case "GET", "jobs":
                return HTTPStatus.OK, [job for backend in api.backends() for job in backend.running()]
            case "POST", "provision":
                self.provision()
                return HTTPStatus.OK, self.state["settings"]
        return self._fault(method, path, body)

    def _fault(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        if method == "POST" and (named := re.fullmatch(r"mwaa/([^/]+)/fail", path)):
            self.mwaa.fail_next[named[1]] = str(body["error"])
            return HTTPStatus.OK, body
        found = re.fullmatch(r"jobs/([^/]+)/(vanish|lose-host)", path)
        if method != "POST" or not found:
            return HTTPStatus.NOT_FOUND, {"error": f"no {method} {PREFIX}{path}"}
        job_id, fault = found.groups()
        done = [_cause(backend, fault, job_id, body) for backend in api.backends()]
        return (HTTPStatus.OK if any(done) else HTTPStatus.NOT_FOUND), {"jobId": job_id, fault: any(done)}


def _default_network() -> dict[str, list[str]]:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ec2.models import ec2_backends

    ec2 = ec2_backends[DEFAULT_ACCOUNT_ID][REGION]
    subnets = ec2.get_default_subnets()
    group = ec2.get_security_group_from_name("default", ec2.get_default_vpc().id)
    return {"subnets": [one.id for one in subnets.values()], "securityGroupIds": [group.id]}


def _cause(backend: LocalBatch, fault: str, job_id: str, body: dict[str, Any]) -> bool:
    if fault == "vanish":
        return backend.vanish(job_id, kill=body.get("kill", True))
    return backend.lose_host(job_id, body.get("statusReason", SPOT[0]))


def _body(environ: dict[str, Any]) -> dict[str, Any]:
    size = int(environ.get("CONTENT_LENGTH") or 0)
    return json.loads(environ["wsgi.input"].read(size)) if size else {}
