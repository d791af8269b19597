"""Parts of `make aws-smoke` that need no environment: its record, programs and signals, what it says of keys."""

import io
import os
import signal
import subprocess
import sys
from urllib.parse import quote, quote_plus

import pytest
from botocore.exceptions import NoCredentialsError

from aws import ROOT, until
from aws_smoke import __main__ as command
from aws_smoke import image, looking, programs, record
from aws_smoke.looking import FAILED, PASSED, Place
from aws_smoke.record import Begun
from filebatch_local.base import access

BEGUN = Begun("smoke-0123abcd", "123456789012", "eu-central-1", "", "2026-01-02T03:04:05+00:00")


def test_what_is_begun_is_on_record_until_it_is_ended(tmp_path):
    assert record.left(tmp_path) == []
    folder = record.begin(tmp_path, BEGUN)
    assert record.left(tmp_path) == [(folder, BEGUN)]
    assert folder.stat().st_mode & 0o077 == 0
    record.end(folder)
    assert record.left(tmp_path) == []


def test_a_prefix_is_one_that_terraform_takes_and_nobody_elses():
    prefixes = {record.new_prefix() for _ in range(50)}
    assert len(prefixes) == 50
    assert all(len(prefix) <= 26 and prefix.replace("-", "").isalnum() for prefix in prefixes)


def test_where_nothing_was_begun_there_is_nothing_to_clean_up(tmp_path, capsys):
    assert command.clean_up(tmp_path) == 0
    assert "nothing to clean up" in capsys.readouterr().out


def test_what_was_in_a_local_aws_that_is_gone_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    record.begin(tmp_path, Begun("smoke-1", "123456789012", "eu-west-1", "http://127.0.0.1:1", ""))
    assert command.clean_up(tmp_path) == 0
    assert record.left(tmp_path) == []


def test_what_is_in_another_account_stays_on_record(tmp_path, monkeypatch, capsys):
    record.begin(tmp_path, BEGUN)
    other = Begun(BEGUN.prefix, "999999999999", "eu-west-1", "", "")
    monkeypatch.setattr(command, "_here", lambda _: other)
    assert command.clean_up(tmp_path) == 1
    assert "is in account 123456789012, and this shell's is 999999999999" in capsys.readouterr().out
    assert len(record.left(tmp_path)) == 1


def test_what_can_not_be_destroyed_stays_on_record_and_says_how_to_try_again(tmp_path, monkeypatch):
    folder = record.begin(tmp_path, BEGUN)

    def refuse(_):
        raise programs.ProgramError("terraform destroy ended with 1")

    monkeypatch.setattr(command.terraform.Terraform, "destroy", refuse)
    row = command.destroyed(folder, BEGUN)
    assert row.outcome == FAILED
    assert "make aws-smoke ARGS=--clean-up" in row.told
    assert len(record.left(tmp_path)) == 1


def test_what_still_bears_the_prefix_keeps_it_on_record(tmp_path, monkeypatch):
    folder = record.begin(tmp_path, BEGUN)
    monkeypatch.setattr(command.terraform.Terraform, "destroy", lambda _: None)
    monkeypatch.setattr(looking, "left", lambda *_: ["smoke-0123abcd-storage-results"])
    assert "still there: smoke-0123abcd-storage-results" in command.destroyed(folder, BEGUN).told
    assert len(record.left(tmp_path)) == 1


@pytest.fixture
def as_before():
    handlers = {each: signal.getsignal(each) for each in programs.SIGNALS}
    yield
    for each, handler in handlers.items():
        signal.signal(each, handler)


SLOW = (
    "import os, pathlib, signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path('told').touch(), sys.exit(0)))\n"
    "os.kill(os.getppid(), int(sys.argv[1]))\n"
    "time.sleep(float(sys.argv[2]))\n"
    "pathlib.Path('finished').touch()\n"
)


@pytest.mark.parametrize("number", programs.SIGNALS)
@pytest.mark.parametrize(("finish", "seconds", "left"), [(False, "60", "told"), (True, "0.5", "finished")])
@pytest.mark.usefixtures("as_before")
def test_a_program_has_ended_when_a_signal_is_told_of(tmp_path, number, finish, seconds, left):
    command = (sys.executable, "-c", SLOW, str(int(number)), seconds)
    with pytest.raises(programs.SignalError, match=number.name), programs.interruptible():
        programs.run(command, tmp_path, os.environ, tmp_path / "log", finish=finish)
    assert [path.name for path in tmp_path.iterdir() if path.name != "log"] == [left]


TERRAFORM = """#!/bin/sh
echo "$1" >>"$CALLS"
case $1 in
init) mkdir .terraform ;;
apply) touch terraform.tfstate; sleep 2; echo applied >>"$CALLS" ;;
esac
"""


def test_what_a_signal_interrupts_is_finished_and_destroyed(server, tmp_path):
    """Terraform alone is made up."""
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text(TERRAFORM)
    program.chmod(0o700)
    calls, records = tmp_path / "calls", tmp_path / "records"
    environment = {
        **access.without_aws(os.environ),
        **server.credentials(),
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_REGION": "eu-west-1",
        "CALLS": str(calls),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": ":".join(str(ROOT / part) for part in ("infra/local", "plugins", "tools")),
    }
    command = [sys.executable, "-m", "aws_smoke", "--records", str(records), "--prefix", "smoke-none"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    until(lambda: calls.exists() and "apply" in calls.read_text(), seconds=60)
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=60)

    assert process.returncode == 1, told
    assert calls.read_text().split() == ["init", "apply", "applied", "destroy"], told
    assert [line.split()[-3:] for line in told.splitlines() if line.startswith("to the end")] == [
        ["failed", "SignalError:", "SIGTERM"]
    ]
    assert record.left(records) == []


@pytest.mark.usefixtures("as_before")
def test_a_second_signal_does_not_interrupt_the_tidying_up():
    with pytest.raises(programs.SignalError), programs.interruptible():
        os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_program_that_fails_is_told_with_the_end_of_what_it_said(tmp_path):
    script = "import sys; print('no such thing'); sys.exit(3)"
    with pytest.raises(programs.ProgramError, match=r"ended with 3; the end of .*:\nno such thing"):
        programs.must((sys.executable, "-c", script), tmp_path, os.environ, tmp_path / "log")


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (str, "as it is"),
        (quote, "with %20"),
        (lambda key: quote_plus(key, safe="/"), "with + for blanks"),
        (str.upper, "not found"),
    ],
)
def test_how_a_key_is_written_is_said(write, said):
    found = [write(f"keys/{name}.csv") for name in looking.STRANGE]
    assert looking.written_as("100%25+ü b", found) == said


@pytest.mark.parametrize(
    ("region", "hours", "bill", "outcome", "told"),
    [
        ("us-east-1", 0.3, {"usd": 0.0004}, PASSED, "about 0.08 USD"),
        ("us-east-1", 1.2, {"usd": 0.01}, PASSED, "about 0.17 USD"),
        ("eu-north-1", 0.3, {"usd": None}, PASSED, "endpoints at prices of us-east-1"),
        ("us-east-1", 0.3, None, FAILED, "containers unknown"),
    ],
)
def test_what_it_cost_is_endpoints_by_the_hour_begun_and_the_runs_containers(region, hours, bill, outcome, told):
    row = looking.cost(Place({"region": region}, {}, lambda _: None, 0.0), bill, hours)
    assert row.outcome == outcome
    assert told in row.told


DOCKER = """#!/bin/sh
echo "$*" "config=${DOCKER_CONFIG:-}" >>"$CALLS"
case $1 in login) cat >"$GIVEN" ;; esac
"""


def test_the_image_is_pushed_by_a_login_that_no_list_of_processes_and_no_file_of_the_users_has(tmp_path, monkeypatch):
    """The engine alone is made up."""
    calls, given, program = tmp_path / "calls", tmp_path / "given", tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(DOCKER)
    program.chmod(0o700)
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    for name, value in {"PATH": f"{program.parent}:{os.environ['PATH']}", "CALLS": calls, "GIVEN": given}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(image.images, "login", lambda: ("AWS", "s3cret"))
    name = "1.dkr.ecr.eu-west-1.amazonaws.com/smoke-1-registry-worker:0.1.0"

    image.push("unix:///docker.sock", *name.split(":"), tmp_path)

    built, login, pushed = calls.read_text().splitlines()
    assert built.startswith("build --platform linux/amd64 ")
    assert f"--tag {name} " in built
    assert login == f"login --username AWS --password-stdin {name.split('/')[0]} config={tmp_path / 'docker'}"
    assert pushed == f"push {name} config={tmp_path / 'docker'}"
    assert given.read_text() == "s3cret"


def test_without_an_engine_nothing_is_made_in_an_account(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "_here", lambda _: BEGUN)
    monkeypatch.setattr(looking, "left", lambda *_: [])
    monkeypatch.setattr(image, "engine", lambda: None)
    assert command.main(["--records", str(tmp_path), "--yes"]) == 2
    assert "no Docker engine answers" in capsys.readouterr().err
    assert record.left(tmp_path) == []


def test_a_prefix_that_is_on_record_is_not_begun_again(tmp_path, capsys):
    record.begin(tmp_path, BEGUN)
    assert command.main(["--records", str(tmp_path), "--prefix", BEGUN.prefix]) == 2
    assert "isn't destroyed: make aws-smoke ARGS=--clean-up" in capsys.readouterr().err


def test_unless_it_is_confirmed_nothing_is_made_in_an_account(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "_here", lambda _: BEGUN)
    monkeypatch.setattr(looking, "left", lambda *_: [])
    monkeypatch.setattr(image, "engine", lambda: "unix:///docker.sock")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))  # no terminal, so nobody
    assert command.main(["--records", str(tmp_path)]) == 2
    assert "not confirmed" in capsys.readouterr().err
    assert record.left(tmp_path) == []


TRUST = '{"Version": "2012-10-17", "Statement": []}'
MADE = {
    "s3": ("create_bucket", {"Bucket": "{0}", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}),
    "sns": ("create_topic", {"Name": "{0}"}),
    "sqs": ("create_queue", {"QueueName": "{0}"}),
    "cloudwatch": (
        "put_metric_alarm",
        {
            "AlarmName": "{0}",
            "MetricName": "a",
            "Namespace": "a",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Statistic": "Sum",
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold",
        },
    ),
    "ecr": ("create_repository", {"repositoryName": "{0}"}),
    "events": ("put_rule", {"Name": "{0}", "ScheduleExpression": "rate(1 day)"}),
    "logs": ("create_log_group", {"logGroupName": "{0}"}),
    "iam": ("create_role", {"RoleName": "{0}", "AssumeRolePolicyDocument": TRUST}),
}


@pytest.mark.parametrize("service", MADE)
def test_what_bears_the_prefix_is_found_and_what_begins_like_it_is_not(place, service):
    operation, parameters = MADE[service]
    prefix = record.new_prefix()
    for name in (f"{prefix}-module-one", f"{prefix}s-module-two"):
        named = {key: value.format(name) if value == "{0}" else value for key, value in parameters.items()}
        getattr(place.connect(service), operation)(**named)
    (found,) = looking.left(place.connect, prefix)
    assert found.endswith(f"{prefix}-module-one")


def test_an_environment_that_is_there_is_neither_made_again_nor_destroyed(place, tmp_path, monkeypatch, capsys):
    prefix = record.new_prefix()
    place.connect("sns").create_topic(Name=f"{prefix}-notifications-developers")
    monkeypatch.setattr(command, "_here", lambda _: Begun(prefix, "", "", "http://127.0.0.1:1", ""))
    monkeypatch.setattr(command, "_client", place.connect)
    monkeypatch.setattr(command, "smoke", lambda *_: pytest.fail("it was begun"))
    assert command.main(["--records", str(tmp_path), "--prefix", prefix, "--yes"]) == 2
    assert f"found with {prefix}: " in capsys.readouterr().err


def test_without_credentials_it_says_so(tmp_path, monkeypatch, capsys):
    def refuse(_):
        raise NoCredentialsError

    monkeypatch.setattr(command, "_here", refuse)
    assert command.main(["--records", str(tmp_path)]) == 2
    assert "Unable to locate credentials; nothing was made" in capsys.readouterr().err
