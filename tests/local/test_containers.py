"""The command that has Docker run a job's image; the engine itself isn't asked here."""

from types import SimpleNamespace

from filebatch_local.containers import Containers


def job(**properties):
    definition = SimpleNamespace(container_properties={"image": "own:1", **properties})
    return SimpleNamespace(image="own:1", command=["run", "it"], vcpus=0.5, memory=512, job_definition=definition)


def test_limits_user_and_scratch_are_dockers_and_the_environment_stays_off_the_command_line(tmp_path):
    properties = {
        "readonlyRootFilesystem": True,
        "user": "10001",
        "mountPoints": [{"containerPath": "/scratch", "sourceVolume": "scratch"}],
    }
    made = Containers("/usr/bin/docker").command(job(**properties), {"SECRET": "s3cret"}, tmp_path / "job-1")
    line = " ".join(made.arguments)
    assert line.endswith("own:1 run it")
    assert {"--cpus=0.5", "--memory=512m", "--read-only", "--user=10001", "--volume=/scratch"} <= set(made.arguments)
    assert "s3cret" not in line
    assert (tmp_path / "job-1" / "environment").read_text() == "SECRET=s3cret\n"
    assert (tmp_path / "job-1" / "environment").stat().st_mode & 0o077 == 0
    assert made.stop == ("/usr/bin/docker", "rm", "--force", "filebatch-job-1")
