"""What docker-compose.yaml and its Dockerfile say, read without Docker."""

import importlib.util
import json
import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from compose.containers import COMMAND, FILE, ROOT
from filebatch_local.base import access
from filebatch_local.base.layout import Layout
from local_system.config import Config, airflow_environment, signing_secrets

DOCKER = ROOT / "infra" / "local" / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
BUILT = {name: service for name, service in SERVICES.items() if "build" in service}
AIRFLOW = {"migrate", "api-server", "scheduler", "dag-processor", "triggerer", "worker"}

# What differs between a laptop's processes and containers: places, addresses, the database, and what only SQLite needs.
OWN = re.compile(
    "AIRFLOW_HOME|AIRFLOW_VAR_|AWS_ENDPOINT_URL|NO_PROXY|no_proxy|PYTHON|AIRFLOW__(DATABASE|LOGGING|API|API_AUTH)__|.*(_FOLDER|_URL|_KEY|_FILE)$"
)


def stages() -> dict[str, tuple[str, str]]:
    """Return each stage of the Dockerfile: what it is made from, and the user it ends as."""
    found: dict[str, tuple[str, str]] = {}
    for base, name, body in re.findall(
        r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL
    ):
        users = re.findall(r"^USER (\S+)", body, re.MULTILINE)
        found[name] = (base, users[-1] if users else "root")
    return found


def test_it_is_a_whole_airflow_and_a_local_aws():
    always = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert always == AIRFLOW - {"worker"} | {"aws", "postgres"}
    assert SERVICES["scheduler"]["environment"]["AIRFLOW__CORE__EXECUTOR"] == "${EXECUTOR:-LocalExecutor}"


def test_with_celery_there_are_a_broker_and_a_worker_too():
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["celery"]} == {"redis", "worker"}
    assert "--port 0 --unixsocket /data/redis.sock" in " ".join(SERVICES["redis"]["command"])
    broker = SERVICES["worker"]["environment"]["AIRFLOW__CELERY__BROKER_URL"]
    assert broker == "redis+socket:///var/run/redis/redis.sock"
    assert "broker:/data" in SERVICES["redis"]["volumes"]
    assert "broker:/var/run/redis" in SERVICES["worker"]["volumes"]


def test_jobs_are_processes_and_the_engine_is_given_to_nobody_unless_that_is_asked_for():
    assert SERVICES["aws"]["command"][-2:] == ["--jobs", "${JOBS:-processes}"]
    sockets = [
        volume for service in SERVICES.values() for volume in service.get("volumes", []) if "docker.sock" in volume
    ]
    assert sockets == ["${FILEBATCH_DOCKER_SOCKET:-/dev/null}:/var/run/docker.sock"]
    assert sockets[0] in SERVICES["aws"]["volumes"]
    assert {"aws-processes", "aws-containers"} <= stages().keys()
    assert SERVICES["aws"]["build"]["target"] == "aws-${JOBS:-processes}"


@pytest.mark.parametrize(("name", "value"), [("JOBS", "threads"), ("EXECUTOR", "celery")])
def test_a_choice_that_there_is_not_is_refused_in_a_sentence(name, value):
    command = subprocess.run(
        [COMMAND, "up"], env={**os.environ, name: value}, capture_output=True, text=True, check=False
    )
    assert (command.returncode, command.stdout) == (1, "")
    assert command.stderr.startswith(f"{name}: expected ")


def test_ports_are_published_on_loopback_only():
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    unreachable = {name for name, service in SERVICES.items() if service.get("network_mode") == "none"}
    assert unreachable == {"postgres", "redis"}
    assert not [name for name, service in SERVICES.items() if service.get("privileged")]


def test_what_these_containers_ask_each_other_goes_through_no_proxy():
    for name in AIRFLOW:
        said = SERVICES[name]["environment"]
        asked = {urlsplit(value).hostname for value in said.values() if value.startswith("http://")}
        assert asked >= {"aws", "api-server"}
        assert asked <= set(said["NO_PROXY"].split(","))
        assert said["no_proxy"] == said["NO_PROXY"]


def test_nothing_that_lets_anybody_in_is_written_down(tmp_path):
    secret = signing_secrets(tmp_path) | access.credentials("key")
    assert not [name for service in SERVICES.values() for name in secret if name in service.get("environment", {})]
    assert not [
        name for service in SERVICES.values() for name in service.get("environment", {}) if "ALL_ADMINS" in name
    ]
    named = {item for service in SERVICES.values() for item in service.get("environment", {}).items()}
    secrets = {item for item in named if re.search("PASSWORD|SECRET|TOKEN|_KEY$", item[0]) and item[1]}
    assert secrets == {
        ("POSTGRES_PASSWORD", "unused"),  # the image wants one; nobody is asked for it
        ("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", "/opt/airflow/private/passwords.json"),
    }
    assert not re.search(r"://[^/\s]*:[^/\s]*@", FILE.read_text(encoding="utf-8"))


def test_the_database_is_reached_by_a_socket_that_only_airflow_sees():
    sharing = {name for name, service in SERVICES.items() if any(v.startswith("socket:") for v in service["volumes"])}
    assert sharing == AIRFLOW | {"postgres"}


def test_what_is_pulled_is_pinned_to_a_version_and_can_be_to_a_digest():
    pulled = [service["image"] for name, service in SERVICES.items() if name not in BUILT]
    pulled += [image for service in BUILT.values() for image in service["build"]["args"].values()]
    assert len(pulled) > 2
    assert all(re.fullmatch(r"\$\{FILEBATCH_[A-Z]+_IMAGE:-[a-z]+:\d[\w.-]+\}", image) for image in pulled)
    assert not [name for name, service in SERVICES.items() if service["image"].endswith(":latest")]


@pytest.mark.parametrize("dockerfile", [DOCKER / "Dockerfile", ROOT / "worker" / "Dockerfile"], ids=["local", "worker"])
def test_each_image_is_made_from_an_argument_that_may_name_a_digest(dockerfile):
    text = dockerfile.read_text(encoding="utf-8")
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - stages
    assert "${BASE}" in bases
    for name in (base.strip("${}") for base in bases):
        assert re.search(rf"^ARG {name}=[a-z]+:\d[\w.-]+$", text, re.MULTILINE)


def test_what_we_build_runs_as_somebody_without_rights():
    assert set(BUILT) == AIRFLOW | {"aws"}
    for service in BUILT.values():
        for jobs in ("processes", "containers"):
            target = service["build"]["target"].replace("${JOBS:-processes}", jobs)
            assert stages()[target][1] not in {"root", "0"}
        assert "user" not in service
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]


def test_what_is_mounted_from_here_exists_and_cannot_be_written():
    mounted = [volume for service in SERVICES.values() for volume in service["volumes"] if volume.startswith("./")]
    assert {"./dags:/opt/filebatch/dags:ro", "./plugins:/opt/filebatch/plugins:ro"} <= set(mounted)
    assert all(volume.endswith(":ro") for volume in mounted)
    assert all((ROOT / volume.split(":")[0]).is_dir() for volume in mounted)


def test_every_service_has_a_healthcheck_but_the_one_that_ends():
    assert [name for name, service in SERVICES.items() if "healthcheck" not in service] == ["migrate"]
    assert SERVICES["api-server"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_environments_are_the_repositorys_locks():
    context = (ROOT / BUILT["aws"]["build"]["context"]).resolve()
    assert (context / BUILT["aws"]["build"]["dockerfile"]).resolve() == DOCKER / "Dockerfile"
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert all((context / name).is_file() for line in copied for name in line.split())
    assert "requirements/uv.txt" in (ROOT / "tools" / "setup").read_text(encoding="utf-8")
    assert "--require-hashes --requirement requirements/uv.txt" in DOCKERFILE


def test_airflow_has_the_settings_of_a_laptops(tmp_path):
    config = Config(Layout.here(tmp_path), Path("/opt/filebatch/.venv/bin/python"))
    laptop = airflow_environment(config, "http://aws:4566", {"region": "eu-west-1"}, "key")
    here = SERVICES["scheduler"]["environment"]
    same = {name for name in laptop.keys() & here.keys() if not OWN.match(name)}
    assert len(same) > 10
    assert {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", here[name]) for name in same} == {
        name: laptop[name] for name in same
    }


def script(name):
    spec = importlib.util.spec_from_file_location(name, DOCKER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_containers_have_the_key_and_the_settings_of_the_local_aws(server, tmp_path):
    file = tmp_path / "aws.key"
    file.write_text(server.key)
    found = script("with_settings").environment(server.endpoint, file)
    assert json.loads(found.pop("AIRFLOW_VAR_FILEBATCH")) == server.settings
    assert found == server.credentials()


def test_a_local_aws_that_never_answers_is_an_error(tmp_path):
    (tmp_path / "aws.key").write_text("key")
    with pytest.raises(OSError, match="refused"):
        script("with_settings").environment("http://127.0.0.1:1", tmp_path / "aws.key", within=0)
    with pytest.raises(OSError, match=r"none\.key"):
        script("with_settings").environment("http://127.0.0.1:1", tmp_path / "none.key", within=0)


def test_a_part_is_as_healthy_as_airflow_says():
    class Health(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            found = {"scheduler": {"status": "healthy"}, "triggerer": {"status": None}, "dag_processor": None}
            self.wfile.write(json.dumps(found).encode())

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Health) as api:
        threading.Thread(target=api.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{api.server_port}"
        parts = ("scheduler", "triggerer", "dag_processor", "other")
        said = [script("healthy").status(url, part) for part in parts]
        api.shutdown()
    assert said == ["healthy", "unknown", "unknown", "unknown"]
