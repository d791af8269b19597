"""A shell of `make env`: whatever `aws` is asked there, only the local AWS hears it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from filebatch_local.base.layout import Layout
from filebatch_local.base.ports import free_port
from filebatch_local.serve.background import down, up

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [
    ROOT / "README.md",
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("infra/**/README.md"),
    ROOT / "worker" / "README.md",
]
SHELLS = [name for name in ("sh", "bash", "zsh") if shutil.which(name)]

# One call of each service that the documents use; in the names of what `make aws` provisions.
CALLS = {
    "batch": "batch list-jobs --job-queue filebatch-local-jobs --job-status FAILED",
    "dynamodb": "dynamodb scan --table-name filebatch-local-ledger",
    "logs": "logs filter-log-events --log-group-name filebatch-local-batch-jobs",
    "s3": "s3 ls s3://filebatch-local-new-files",
    "s3api": "s3api list-objects-v2 --bucket filebatch-local-new-files",
    "secretsmanager": "secretsmanager list-secrets",
    "sqs": "sqs list-queues",
}
# AWS CLI puts `api.` before the host for `mwaa`, which no local address can have; it reaches nobody then.
# Others that somebody might type, those among them for which AWS CLI 1 has endpoints of its own.
MORE = (
    "cloudwatch list-metrics",
    "events list-rules",
    "iam list-roles",
    "rds describe-db-instances",
    "sns list-topics",
)


class Elsewhere:
    """A proxy for all that isn't on this machine: nothing gets through, all is written down."""

    def __init__(self):
        self.asked = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            one, _ = self._listener.accept()
            with one:
                self.asked.append(one.recv(1000).split(b"\r\n")[0].decode())
                one.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    found = Layout.here(tmp_path_factory.mktemp("shell") / "state")
    up(found, 0, ["--record", str(found.state / "requests.jsonl")])
    yield found
    down(found)


@pytest.fixture
def elsewhere():
    return Elsewhere()


@pytest.fixture
def shell(layout, elsewhere, tmp_path):
    """Run lines in a shell that has evaluated `env`; this repository's AWS CLI is the only one there."""

    def run(lines, name="sh", **variables):
        (tmp_path / "home").mkdir(exist_ok=True)
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path / "home"),
            "PYTHONPATH": f"{ROOT / 'infra' / 'local'}:{ROOT / 'plugins'}",
            "HTTPS_PROXY": elsewhere.url,
            "HTTP_PROXY": elsewhere.url,
            "http_proxy": elsewhere.url,
            "AWS_MAX_ATTEMPTS": "1",
            **variables,
        }
        script = f'eval "$({sys.executable} -m filebatch_local env --state {layout.state})"\n{lines}'
        command = [name, "-c", script]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    return run


def heard(layout):
    """Return which services the local AWS was asked for."""
    return set(re.findall(r'"service": "([^"]+)"', (layout.state / "requests.jsonl").read_text()))


def test_each_service_that_the_documents_use_is_the_local_one(shell, layout, elsewhere):
    text = "\n".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    assert set(re.findall(r"(?:^|[`(])aws ([a-z0-9]+) [a-z]", text, re.MULTILINE)) - {"mwaa"} == set(CALLS)
    ended = shell("set -e\n" + "\n".join(f"aws {call} >/dev/null" for call in (*CALLS.values(), *MORE)))
    assert ended.returncode == 0, ended.stderr
    assert elsewhere.asked == []
    asked = {
        call.split()[0].replace("s3api", "s3").replace("cloudwatch", "monitoring") for call in (*CALLS.values(), *MORE)
    }
    assert asked <= heard(layout)


def test_the_runbooks_purge_empties_the_local_queue(shell, elsewhere):
    url = "$(aws sqs get-queue-url --queue-name filebatch-local-tables --query QueueUrl --output text)"
    count = (
        "aws sqs get-queue-attributes --queue-url $queue --attribute-names ApproximateNumberOfMessages --output text"
    )
    ended = shell(
        f"queue={url}; aws sqs send-message --queue-url $queue --message-body x >/dev/null; {count}\n"
        f"aws sqs purge-queue --queue-url $queue; {count}"
    )
    assert ended.stdout.split() == ["ATTRIBUTES", "1", "ATTRIBUTES", "0"], ended.stderr
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("sqs list-queues --endpoint-url https://sqs.eu-west-1.amazonaws.com", "use another shell"),
        ("sqs list-queues --endpoint-url=https://sqs.eu-west-1.amazonaws.com", "use another shell"),
        ("--endpoint-url https://sqs.eu-west-1.amazonaws.com sqs list-queues", "use another shell"),
        ("sqs list-queues --profile prod", "could not be found"),
        ("sqs list-queues --no-sign-request", "expected the access key"),
    ],
)
def test_another_aws_can_not_be_asked_for(shell, elsewhere, tmp_path, arguments, told):
    configure(tmp_path / "home")
    ended = shell(f"aws {arguments}")
    assert ended.returncode != 0
    assert told in ended.stderr
    assert elsewhere.asked == []


@pytest.mark.parametrize("more", ["", "--endpoint https://sqs.eu-west-1.amazonaws.com", "--region us-east-1", "-- x"])
def test_whatever_else_is_asked_goes_nowhere_else(shell, elsewhere, more):
    shell(f"aws sqs list-queues {more}")
    assert elsewhere.asked == []


def configure(home: Path) -> None:
    """Write what a developer's AWS configuration may say that leads elsewhere."""
    (home / ".aws").mkdir(parents=True)
    elsewhere = "endpoint_url = https://real.example\nignore_configured_endpoint_urls = true\n"
    (home / ".aws" / "config").write_text(f"[default]\n{elsewhere}[profile prod]\n{elsewhere}")
    keys = "aws_access_key_id = AKIAREAL\naws_secret_access_key = real\n"
    (home / ".aws" / "credentials").write_text(f"[default]\n{keys}[prod]\n{keys}")


BOTO3 = 'python -c \'import boto3; print(len(boto3.client("sqs").list_queues()["QueueUrls"]))\''


def test_a_developers_own_configuration_and_endpoints_lead_nowhere_else(shell, elsewhere, tmp_path):
    configure(tmp_path / "home")
    redirects = {
        "AWS_ENDPOINT_URL_SQS": "https://real.example",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "home" / ".aws" / "config"),
    }
    ended = shell(f"set -e; aws sqs list-queues >/dev/null; {BOTO3}", **redirects)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) > 0
    assert elsewhere.asked == []


REAL = {
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_PROFILE": "prod",
    "AWS_DEFAULT_PROFILE": "prod",
    "AWS_SESSION_TOKEN": "token",
    "AWS_SECURITY_TOKEN": "token",
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/real",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/run/token",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials",
}


@pytest.mark.parametrize("name", REAL)
def test_a_shell_with_real_credentials_is_refused_and_its_aws_blocked(shell, elsewhere, name):
    ended = shell("echo $?; aws sqs purge-queue --queue-url x || echo blocked; env", **{name: REAL[name]})
    first, second, *rest = ended.stdout.splitlines()
    assert (first, second) == ("1", "blocked")
    assert f"{name}={REAL[name]}" in rest
    assert not [line for line in rest if line.startswith("AWS_ENDPOINT_URL")]
    assert ended.stderr.count("blocked") == 2
    assert name in ended.stderr
    assert elsewhere.asked == []


@pytest.mark.parametrize("name", SHELLS)
def test_each_kind_of_shell_takes_it_more_than_once_and_with_strict_settings(shell, name, layout):
    again = f'eval "$({sys.executable} -m filebatch_local env --state {layout.state})"'
    ended = shell(f"set -eu; {again}; aws s3 ls", name)
    assert ended.returncode == 0, ended.stderr
    assert "filebatch-local-new-files" in ended.stdout
    assert shell("aws s3 ls || echo blocked", name, AWS_PROFILE="prod").stdout == "blocked\n"


def test_a_refused_shell_becomes_one_of_the_local_aws_when_it_does_as_it_is_told(shell, layout):
    again = f'eval "$({sys.executable} -m filebatch_local env --state {layout.state})"'
    ended = shell(f"unset AWS_PROFILE; {again}; aws s3 ls", AWS_PROFILE="prod")
    assert "filebatch-local-new-files" in ended.stdout


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "corp.example"}, "corp.example,127.0.0.1,localhost"),
        ({"no_proxy": ".example, 10.0.0.1", "NO_PROXY": "unread"}, ".example,10.0.0.1,127.0.0.1,localhost"),
        ({"NO_PROXY": "127.0.0.1"}, "127.0.0.1,localhost"),
        ({"no_proxy": "*"}, "*"),
    ],
    ids=str,
)
def test_what_is_on_this_machine_is_asked_without_a_proxy(shell, said, found):
    ended = shell("env", **said)
    told = dict(line.split("=", 1) for line in ended.stdout.splitlines() if "=" in line)
    assert (told["NO_PROXY"], told["no_proxy"]) == (found, found)


def test_a_server_that_is_started_behind_a_proxy_comes_up(elsewhere, monkeypatch, tmp_path):
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, elsewhere.url)
    layout = Layout.here(tmp_path / "state")
    try:
        aws, _ = up(layout, 0, ["--feeds", ""])
        assert aws.client("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
    finally:
        down(layout)
    assert elsewhere.asked == []


def test_what_a_shell_writes_to_airflows_database_waits_for_others_that_write(shell, tmp_path):
    asked = "from airflow import settings; print(settings.engine.raw_connection().driver_connection.__class__)"
    ended = shell(f"cd /; python -c '{asked}'", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{tmp_path}/airflow.db")
    assert "filebatch_local.base.sqlite.Connection" in ended.stdout, ended.stderr


def test_a_shells_own_python_path_stays(shell):
    said = shell("echo $PYTHONPATH", PYTHONPATH=f"{ROOT / 'infra' / 'local'}:/own").stdout.strip()
    assert said == f"{ROOT / 'infra' / 'local'}:{ROOT / 'infra' / 'local'}:/own"


def test_a_shell_of_a_local_aws_that_does_not_run_asks_no_other(elsewhere, tmp_path):
    command = f'eval "$({sys.executable} -m filebatch_local env --state {tmp_path / "none"})"; aws sqs list-queues'
    environment = {
        "PYTHONPATH": str(ROOT / "infra" / "local"),
        "PATH": os.environ["PATH"],
        "HTTPS_PROXY": elsewhere.url,
    }
    ended = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "`make aws`" in ended.stderr
    assert "python -m" not in ended.stderr
    assert ended.stderr.count("blocked") == 2
    assert elsewhere.asked == []


def test_nothing_that_is_started_here_inherits_another_account(layout):
    from filebatch_local.base import access

    assert access.without_aws({"AWS_PROFILE": "prod", "PATH": "/bin"}) == {"PATH": "/bin"}


def test_a_shell_outside_a_servers_container_asks_it_at_its_published_port(elsewhere, tmp_path):
    port, layout = free_port(), Layout.here(tmp_path / "state")
    try:
        up(layout, port, ["--feeds", "", "--published", str(port), "--host", "localhost"])
        command = [sys.executable, "-m", "filebatch_local", "env", "--state", str(layout.state)]
        environment = {"PYTHONPATH": str(ROOT / "infra" / "local"), "PATH": "/usr/bin:/bin"}
        printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        assert str(ROOT) not in printed
        script = f"{printed}\nset -e; aws sqs create-queue --queue-name a; aws s3 ls; echo $AWS_ENDPOINT_URL"
        environment = {"PATH": f"{ROOT / '.venv-cli' / 'bin'}:/usr/bin:/bin", "HTTP_PROXY": elsewhere.url}
        ended = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        assert "filebatch-local-new-files" in ended.stdout
        assert f"http://127.0.0.1:{port}\n" in ended.stdout
        refused = subprocess.run(["sh", "-c", printed], env={**environment, "AWS_PROFILE": "prod"}, check=False)
        assert refused.returncode == 1
    finally:
        down(layout)
    assert elsewhere.asked == []
