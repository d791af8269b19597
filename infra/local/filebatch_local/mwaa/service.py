"""The MWAA API over HTTP: it stands in front of moto and answers what is signed for MWAA."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError
from packaging.requirements import InvalidRequirement, Requirement

from filebatch_local.mwaa import environments, requests
from filebatch_local.mwaa.airflow import Airflow, Code, Files
from filebatch_local.mwaa.environments import Environment
from filebatch_local.mwaa.requests import RefusedError

SIGNED_FOR = "/airflow/aws4_request"  # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonmanagedworkflowsforapacheairflow.html
TAKES = 1500.0  # seconds that AWS takes: https://docs.aws.amazon.com/mwaa/latest/userguide/create-environment.html
ACCOUNT = "123456789012"
OBJECTS = {
    "PluginsS3Path": "PluginsS3ObjectVersion",
    "RequirementsS3Path": "RequirementsS3ObjectVersion",
    "StartupScriptS3Path": "StartupScriptS3ObjectVersion",
}

Run = Callable[[Mapping[str, Any], str, Any, Files], bool]


@dataclass
class Mwaa:
    """All environments of this AWS.

    Attributes:
        client: makes a boto3 client of a service of this AWS.
        region: its region.
        run: does a run of a DAG: environment, DAG's id, conf, files of the DAG folder; whether it succeeded.
        takes: seconds that creating or updating an environment takes.
        now: tells the time in seconds.
        fail_next: environments whose next change fails, and why.
    """

    client: Callable[[str], Any]
    region: str
    run: Run
    takes: float = TAKES
    now: Callable[[], float] = time.monotonic
    fail_next: dict[str, str] = field(default_factory=dict)
    _environments: dict[str, Environment] = field(default_factory=dict)
    _airflows: dict[str, Airflow] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def in_front_of(self, app: Any) -> Any:
        """Return a WSGI application that answers requests for MWAA and passes on all others."""

        def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if SIGNED_FOR not in environ.get("HTTP_AUTHORIZATION", ""):
                return app(environ, start_response)  # type: ignore[no-any-return]  # WSGI
            status, headers, document = self._answer(environ)
            start_response(f"{status} {HTTPStatus(status).phrase}", [("Content-Type", "application/json"), *headers])
            return [json.dumps(document).encode()]

        return answer

    def _answer(self, environ: Mapping[str, Any]) -> tuple[int, list[tuple[str, str]], Any]:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        body, path = environ["wsgi.input"].read(size), environ["PATH_INFO"]
        try:
            operation, params = requests.read(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), body)
            return 200, [], self.do(operation, params)
        except RefusedError as refused:
            document = {"message": str(refused), **refused.more}
            return refused.status, [("X-Amzn-ErrorType", refused.code)], document

    def do(self, operation: str, params: Mapping[str, Any]) -> Any:
        """Do an operation of the API; return its answer.

        Raises:
            RefusedError: MWAA refuses it.
        """
        act = _OPERATIONS.get(operation)
        if act is None:
            raise RefusedError("UnknownOperationException", f"{operation}: not simulated", 501)
        if operation == "InvokeRestApi":
            return act(self, params)
        with self._lock:
            return act(self, params)

    def _create(self, params: Mapping[str, Any]) -> Any:
        name = params["Name"]
        if name in self._known():
            raise RefusedError("ValidationException", f"environment {name} exists already")
        params = {**params, "Arn": self._arn(name), "CreatedAt": time.time(), "WebserverUrl": f"{name}.example.com"}
        self._environments[name] = environments.created(params, self.now(), self._failure(params))
        return {"Arn": params["Arn"]}

    def _update(self, params: Mapping[str, Any]) -> Any:
        environment = self._environment(params["Name"])
        error = self._failure({**environment.known, **params})
        self._environments[params["Name"]] = environments.updated(environment, params, self.now(), error)
        return {"Arn": environment.known["Arn"]}

    def _delete(self, params: Mapping[str, Any]) -> Any:
        environment = self._environment(params["Name"])
        self._environments[params["Name"]] = environments.deleted(environment, self.now())
        return {}

    def _get(self, params: Mapping[str, Any]) -> Any:
        environment = self._environment(params["Name"])
        status = environment.status(self.now(), self.takes)
        return {"Environment": {**environment.known, "Status": status}}

    def _list(self, _: Mapping[str, Any]) -> Any:
        return {"Environments": sorted(self._known())}

    def _tags(self, params: Mapping[str, Any]) -> Any:
        return {"Tags": self._environment(params["ResourceArn"].rpartition("/")[2]).known.get("Tags", {})}

    def _invoke(self, params: Mapping[str, Any]) -> Any:
        with self._lock:
            environment = self._environment(params["Name"])
            airflow = self._airflow(environment)
        answer = airflow.answer(
            params["Method"], params["Path"], params.get("QueryParameters") or {}, params.get("Body") or {}
        )
        status, document = answer
        told = {"RestApiStatusCode": status, "RestApiResponse": document}
        if status >= 400:
            raise RefusedError("RestApiClientException", "Airflow's REST API refuses the request", more=told)
        return told

    def _airflow(self, environment: Environment) -> Airflow:
        known = environment.known
        if known["Status"] not in {*environments.UPDATABLE, "UPDATING"}:
            raise RefusedError("AccessDeniedException", f"{known['Name']} is {known['Status']}: no web server yet", 403)
        name = known["Name"]
        if name not in self._airflows:
            options = known.get("AirflowConfigurationOptions", {})
            paused = options.get("core.dags_are_paused_at_creation", "True") == "True"
            self._airflows[name] = Airflow(lambda: self._code(name), self._runner(name), starts_paused=paused)
        return self._airflows[name]

    def _runner(self, name: str) -> Callable[[str, Any, Files], bool]:
        return lambda dag, conf, files: self.run(self._environment(name).known, dag, conf, files)

    def _code(self, name: str) -> Code:
        """Return what an environment's Airflow has: DAGs as they lie in the bucket now, plugins of its start."""
        known = self._environment(name).known
        s3, bucket = self.client("s3"), known["SourceBucketArn"].rpartition(":")[2]
        prefix = f"{known['DagS3Path'].strip('/')}/"
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
        dags = {key.removeprefix(prefix): self._object(bucket, key) for key in keys}
        if not known.get("PluginsS3Path"):
            return Code(dags, frozenset())
        packed = self._object(bucket, known["PluginsS3Path"], known.get("PluginsS3ObjectVersion"))
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            return Code(dags, frozenset(archive.namelist()))

    def _object(self, bucket: str, key: str, version: str | None = None) -> bytes:
        wanted = {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}
        content: bytes = self.client("s3").get_object(**wanted)["Body"].read()
        return content

    def _failure(self, params: Mapping[str, Any]) -> str | None:
        """Return why a change with these parameters will fail; what isn't in the bucket is refused at once."""
        bucket, found = params["SourceBucketArn"].rpartition(":")[2], {}
        for path, version in OBJECTS.items():
            if params.get(path):
                found[path] = self._checked(bucket, params[path], params.get(version))
        return self.fail_next.pop(params["Name"], None) or _uninstallable(found.get("RequirementsS3Path", b""))

    def _checked(self, bucket: str, key: str, version: str | None) -> bytes:
        try:
            return self._object(bucket, key, version)
        except ClientError as error:
            message = f"s3://{bucket}/{key} version {version} can't be read: {error}"
            raise RefusedError("ValidationException", message) from error

    def _known(self) -> dict[str, Environment]:
        now = self.now()
        self._environments = {name: each.at(now, self.takes) for name, each in self._environments.items()}
        return {name: each for name, each in self._environments.items() if each.known["Status"] != "DELETED"}

    def _environment(self, name: str) -> Environment:
        with self._lock:
            known = self._known()
        if name not in known:
            raise RefusedError("ResourceNotFoundException", f"no environment {name}", 404)
        return known[name]

    def _arn(self, name: str) -> str:
        return f"arn:aws:airflow:{self.region}:{ACCOUNT}:environment/{name}"


def _uninstallable(requirements: bytes) -> str | None:
    lines = (line.split(" #")[0].strip(" \\") for line in requirements.decode().splitlines())
    for line in (line for line in lines if line and not line.startswith(("#", "-"))):
        try:
            Requirement(line)
        except InvalidRequirement as error:
            return f"requirements.txt can't be installed: {line}: {error}"
    return None


_OPERATIONS: dict[str, Callable[[Mwaa, Mapping[str, Any]], Any]] = {
    "CreateEnvironment": Mwaa._create,
    "UpdateEnvironment": Mwaa._update,
    "DeleteEnvironment": Mwaa._delete,
    "GetEnvironment": Mwaa._get,
    "ListEnvironments": Mwaa._list,
    "ListTagsForResource": Mwaa._tags,
    "InvokeRestApi": Mwaa._invoke,
}
