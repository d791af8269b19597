"""The worker's image: built from the Dockerfile, run as AWS Batch runs it."""

import io
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "worker" / "Dockerfile"
TAG = "filebatch-worker:test"
SOURCES = ("worker", "plugins/filebatch", "requirements/worker.txt")

PROCESS = """
import json, os, pathlib, sys
from filebatch_worker.processor import Source, load_processor
path = pathlib.Path("/scratch/t.csv"); path.write_bytes(sys.stdin.buffer.read())
processed = load_processor("tabular")(Source(path, "t.csv", path.stat().st_size), pathlib.Path("/scratch/out"), {})
print(json.dumps({"rows": processed.rows, "user": [os.getuid(), os.getgid()]}))
"""


def docker(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["docker", *arguments], input=stdin, capture_output=True, check=False)


def context() -> bytes:
    """Return what the image is made of as a build's context, so that it doesn't hang on a builder's ignore rules."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for source in SOURCES:
            archive.add(ROOT / source, source, filter=lambda item: None if "__pycache__" in item.name else item)
    return out.getvalue()


@pytest.fixture(scope="module")
def image() -> str:
    if not shutil.which("docker") or docker("version").returncode:
        pytest.skip("no Docker engine answers (start one, or set DOCKER_HOST)")
    base = re.search(r"^ARG BASE=(\S+)", DOCKERFILE.read_text(), re.MULTILINE)
    if docker("image", "inspect", base[1]).returncode and docker("pull", "--quiet", base[1]).returncode:
        pytest.skip(f"the base image {base[1]} is not here and cannot be pulled")
    built = docker("build", "--file", "worker/Dockerfile", "--tag", TAG, "-", stdin=context())
    assert built.returncode == 0, built.stderr.decode()
    return TAG


def run(image: str, *command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    confined = ("--rm", "--interactive", "--read-only", "--network=none", "--cap-drop=ALL", "--memory=512m")
    return docker("run", *confined, image, *command, stdin=stdin)


@pytest.mark.docker
class TestImage:
    def test_it_processes_a_file_on_a_read_only_filesystem_as_an_ordinary_user(self, image):
        sample = (ROOT / "samples" / "seattle-weather.csv").read_bytes()
        done = run(image, "python", "-c", PROCESS, stdin=sample)
        assert done.returncode == 0, done.stderr.decode()
        assert json.loads(done.stdout) == {"rows": 1461, "user": [1000, 1000]}

    def test_it_runs_the_worker_which_says_what_its_environment_lacks(self, image):
        done = run(image)
        assert done.returncode == 78
        assert b"AWS_BATCH_JOB_ID" in done.stdout + done.stderr or b"FILEBATCH_" in done.stdout + done.stderr

    @pytest.mark.parametrize(
        "command",
        ["touch /opt/filebatch/x", "touch /x", "ls -d /usr/local/lib/python3*/site-packages/pip", "gcc --version"],
    )
    def test_what_a_worker_does_not_need_does_not_work(self, image, command):
        assert run(image, "sh", "-c", command).returncode != 0

    def test_it_holds_compiled_code_and_no_airflow(self, image):
        code = (
            "import importlib.util, pathlib, filebatch_worker; "
            "print(importlib.util.find_spec('airflow'), filebatch_worker.__spec__.cached, "
            "pathlib.Path(filebatch_worker.__spec__.cached).exists())"
        )
        found = run(image, "python", "-c", code).stdout.decode().split()
        assert (found[0], found[2]) == ("None", "True")


def test_the_image_is_made_of_what_the_build_is_given():
    """Every source of a COPY is let through by the ignore file, and exists."""
    ignored = (ROOT / "worker" / "Dockerfile.dockerignore").read_text().split()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    for source in " ".join(copied).split():
        assert f"!{source}" in ignored
        assert list(ROOT.glob(source))


def test_the_image_has_no_file_of_airflows_side():
    ignored = (ROOT / "worker" / "Dockerfile.dockerignore").read_text().split()
    modules = [path for path in (ROOT / "plugins" / "filebatch").glob("*.py") if "airflow" in path.read_text()]
    importing = [path for path in modules if re.search(r"^\s*(from|import) airflow", path.read_text(), re.MULTILINE)]
    assert {str(path.relative_to(ROOT)) for path in importing} <= set(ignored)
