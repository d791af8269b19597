"""Whether the doctor sees that an image starts: with an engine that is played, and with a real one."""

import pytest

import engine
from aws import feed_of
from doctor.environment import Environment
from doctor.starting import starting
from doctor.told import Finding, NotChecked

CONFINED = {
    "command": ["python", "-m", "filebatch_worker"],
    "user": "1000:1000",
    "readonlyRootFilesystem": True,
    "environment": [{"name": "TMPDIR", "value": "/scratch"}],
    "volumes": [{"name": "scratch"}],
    "mountPoints": [{"containerPath": "/scratch", "sourceVolume": "scratch"}],
}


def register(place, image: str) -> None:
    needs = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
    roles = dict.fromkeys(("jobRoleArn", "executionRoleArn"), "arn:aws:iam::123456789012:role/job")
    place.connect("batch").register_job_definition(
        jobDefinitionName=place.settings().job_definition("orders"),
        type="container",
        platformCapabilities=["FARGATE"],
        containerProperties={"image": image, "resourceRequirements": needs, **roles, **CONFINED},
    )


# Docker as a shell script: it has the image own:1, and notes what it is to run.
DOCKER = """#!/bin/sh
case "$1 $2" in
  "info "*) exit {answers} ;;
  "image inspect") case "$*" in *own:1*) echo '{{"/scratch": {{}}}}' ;; *) exit 1 ;; esac ;;
  "run "*) echo "$@" >{folder}/run; echo first; echo "{says}"; exit {ends} ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture
def here(place) -> Environment:
    return Environment(place.settings(), [feed_of("orders"), feed_of("orders")], place.connect)


@pytest.fixture
def docker(tmp_path, monkeypatch):
    def put(answers: int = 0, ends: int = 78, says: str = "what  it says"):
        file = tmp_path / "docker"
        file.write_text(DOCKER.format(answers=answers, ends=ends, says=says, folder=tmp_path))
        file.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return tmp_path / "run"

    return put


def test_an_image_is_started_once_as_its_job_definition_says(place, here, docker):
    run = docker()
    register(place, "own:1")
    assert list(starting(here)) == []
    said = run.read_text()
    for option in (
        "--network=none",
        "--read-only",
        "--user=1000:1000",
        "destination=/scratch",
        "--env=TMPDIR=/scratch",
    ):
        assert option in said
    assert said.strip().endswith("own:1 python -m filebatch_worker")


def test_one_that_ends_otherwise_is_told_with_its_last_words(place, here, docker):
    docker(ends=126)
    register(place, "own:1")
    (found,) = starting(here)
    assert isinstance(found, Finding)
    assert found.what == "image own:1 doesn't start as its job definition says: it ended with 126: what it says"


@pytest.mark.parametrize(
    ("image", "answers", "why"), [("own:1", 1, "no Docker engine answers"), ("other:1", 0, "hasn't got it")]
)
def test_what_cant_be_tried_is_not_checked(place, here, docker, image, answers, why):
    docker(answers=answers)
    register(place, image)
    (told,) = starting(here)
    assert isinstance(told, NotChecked)
    assert why in told.why


def test_an_image_for_processors_that_this_machine_lacks_is_not_checked(place, here, docker):
    docker(ends=255, says="exec /usr/local/bin/python: exec format error")
    register(place, "own:1")
    (told,) = starting(here)
    assert isinstance(told, NotChecked)
    assert "other processors" in told.why


@pytest.mark.docker
def test_the_workers_image_starts_and_a_base_image_doesnt(place, here):
    register(place, engine.worker())
    assert list(starting(here)) == []
    base = engine.base_of(engine.ROOT / "worker" / "Dockerfile")
    register(place, base)  # a new revision
    told = [each.what for each in starting(here)]
    assert [each for each in told if "No module named filebatch_worker" in each]
