"""The command that has Docker run a job's image; the engine itself isn't asked here."""

import socket
from types import SimpleNamespace

import pytest

from filebatch_local.base.layout import LocalAwsError
from filebatch_local.batch.containers import Containers, check, options

SCRATCH = {"containerPath": "/scratch", "sourceVolume": "scratch"}


class Engine(Containers):
    def declared_volumes(self, image):
        assert image == "own:1"
        return {"/scratch"}


def test_limits_and_volumes_are_dockers_and_the_environment_stays_off_the_command_line(tmp_path):
    definition = SimpleNamespace(container_properties={"mountPoints": [SCRATCH]})
    job = SimpleNamespace(image="own:1", command=["run", "it"], vcpus=0.5, memory=512, job_definition=definition)
    made = Engine("/usr/bin/docker").command(job, {"SECRET": "s3cret"}, tmp_path / "job-1")
    line = " ".join(made.arguments)
    assert line.endswith("own:1 run it")
    assert {"--cpus=0.5", "--memory=512m", "--mount=type=volume,destination=/scratch"} <= set(made.arguments)
    assert "s3cret" not in line
    assert (tmp_path / "job-1" / "environment").read_text() == "SECRET=s3cret\n"
    assert (tmp_path / "job-1" / "environment").stat().st_mode & 0o077 == 0
    assert made.stop == ("/usr/bin/docker", "rm", "--force", "filebatch-job-1")


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({}, []),
        ({"user": "1000:1000"}, ["--user=1000:1000"]),
        ({"readonlyRootFilesystem": True}, ["--read-only"]),
        ({"readonlyRootFilesystem": False}, []),
        ({"linuxParameters": {"initProcessEnabled": True}}, ["--init"]),
        ({"mountPoints": [SCRATCH]}, ["--mount=type=volume,destination=/scratch"]),
        ({"mountPoints": [{**SCRATCH, "readOnly": True}]}, ["--mount=type=volume,destination=/scratch,readonly"]),
        (
            {"mountPoints": [{**SCRATCH, "containerPath": "/undeclared"}]},
            ["--mount=type=volume,destination=/undeclared,volume-nocopy"],
        ),
    ],
)
def test_what_a_job_definition_says_is_what_docker_is_told(properties, told):
    assert options(properties, {"/scratch"}) == ["--platform=linux/amd64", *told]


def test_an_image_runs_on_the_processors_that_the_feed_chose_whatever_this_machine_has():
    platform = {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"}
    assert options({"runtimePlatform": platform}, ()) == ["--platform=linux/arm64"]


# Docker as a shell script, which has one container and one image.
DOCKER = """#!/bin/sh
case "$*" in
  info) exit {answers} ;;
  "container inspect {container}" | "image inspect own:1") exit 0 ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture
def docker(tmp_path, monkeypatch):
    def put(container: str = "another", answers: int = 0) -> None:
        (tmp_path / "docker").write_text(DOCKER.format(container=container, answers=answers))
        (tmp_path / "docker").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return put


def test_jobs_are_in_the_network_of_the_server_which_may_be_a_containers(docker):
    docker()
    assert Containers.find().network == "host"
    docker(container=socket.gethostname())
    assert Containers.find().network == f"container:{socket.gethostname()}"


def test_jobs_that_are_to_be_containers_need_an_engine_and_the_workers_image(docker):
    docker(answers=1)
    with pytest.raises(LocalAwsError, match="no Docker engine answers"):
        check("own:1")
    docker()
    check("own:1")
    with pytest.raises(LocalAwsError, match="make image TAG=other:1"):
        check("other:1")
