"""The worker's image: built from the Dockerfile, run as AWS Batch runs it: with what the job definition says."""

import csv
import io
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aws import Place, ended, feed_of, until
from claims import Held
from engine import WORKER, base_of, docker, run, worker
from filebatch.core import paths
from filebatch.core.records import FileState
from filebatch.runs import jobs
from filebatch_local.serve.background import LocalAws, local_aws

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "worker" / "Dockerfile"

PROCESS = """
import json, os, pathlib, sys
from filebatch_worker.processor import Source, load_processor
path = pathlib.Path("/scratch/t.csv"); path.write_bytes(sys.stdin.buffer.read())
processed = load_processor("tabular")(Source(path, "t.csv", path.stat().st_size), pathlib.Path("/scratch/out"), {})
print(json.dumps({"rows": processed.rows, "user": [os.getuid(), os.getgid()]}))
"""


@pytest.fixture(scope="module")
def image() -> str:
    return worker()


@pytest.fixture(scope="module")
def batch_with_engine(tmp_path_factory) -> Iterator[LocalAws]:
    """A local AWS that has no image as a place on this disk, and runs the image in the engine."""
    feeds = tmp_path_factory.mktemp("feeds")
    (feeds / "orders.yaml").write_text(f"prefix: orders/\nstart: 2020-01-01\nimage: {WORKER}\n")
    with local_aws(feeds_dir=feeds, images={}, options=("--docker",)) as aws:
        yield aws


@pytest.fixture(scope="module")
def definition(batch_with_engine) -> dict:
    """Return a feed's containerProperties as they are registered."""
    name = batch_with_engine.settings["job_definition_prefix"] + "orders"
    batch = Place(batch_with_engine).connect("batch")
    return batch.describe_job_definitions(jobDefinitionName=name)["jobDefinitions"][0]["containerProperties"]


PLATFORMS = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}


def run_as(definition: dict, image: str, *command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command with a job definition's user, root filesystem, volumes, variables and limits."""
    needs = {each["type"]: each["value"] for each in definition["resourceRequirements"]}
    platform = PLATFORMS[definition["runtimePlatform"]["cpuArchitecture"]]
    options = [
        f"--platform={platform}",
        f"--user={definition['user']}",
        f"--cpus={needs['VCPU']}",
        f"--memory={needs['MEMORY']}m",
    ]
    options += ["--read-only"] if definition["readonlyRootFilesystem"] else []
    options += [f"--mount=type=volume,destination={point['containerPath']}" for point in definition["mountPoints"]]
    options += [f"--env={each['name']}={each['value']}" for each in definition["environment"]]
    return docker(
        "run", "--rm", "--interactive", "--pull=never", "--network=none", *options, image, *command, stdin=stdin
    )


@pytest.mark.docker
class TestAsTheJobDefinitionSays:
    def test_it_processes_a_file(self, image, definition):
        sample = (ROOT / "samples" / "seattle-weather.csv").read_bytes()
        done = run_as(definition, image, "python", "-c", PROCESS, stdin=sample)
        assert done.returncode == 0, done.stderr.decode()
        assert json.loads(done.stdout) == {"rows": 1461, "user": [int(each) for each in definition["user"].split(":")]}

    def test_its_command_is_the_worker_with_nothing_before_it(self, image, definition):
        done = run_as(definition, image, *definition["command"])
        assert done.returncode == 78, done.stderr.decode()
        assert b"AWS_BATCH_JOB_ID" in done.stdout + done.stderr
        config = json.loads(docker("image", "inspect", "--format={{json .Config}}", image).stdout)
        assert not config.get("Entrypoint")
        assert config["Cmd"] == definition["command"]

    def test_nobody_else_may_write_to_its_scratch_folder(self, image, definition):
        """As whom a job definition of another number would run it."""
        done = run_as(
            {**definition, "user": "10001:10001"}, image, "python", "-c", "import tempfile; tempfile.mkdtemp()"
        )
        assert b"No usable temporary directory found" in done.stderr

    def test_on_other_processors_than_it_was_built_for_it_does_not_run(self, image, definition):
        other = {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"}
        done = run_as({**definition, "runtimePlatform": other}, image, "python", "-c", "print('it runs')")
        assert (done.returncode, done.stdout) == (125, b""), done.stderr.decode()  # 125: the engine's own

    def test_the_local_batch_runs_it_and_files_are_done(self, image, batch_with_engine):
        place = Place(batch_with_engine)
        held = Held(place, 2, feed_of(image=image, packing={"files": 1}))
        job_id = submit(held, batch_with_engine.settings["job_definition_prefix"])
        job = until(lambda: ended(place.connect("batch"), job_id), seconds=120)
        assert job["status"] == "SUCCEEDED", job
        assert held.now_in() == [FileState.SUCCEEDED] * 2


def submit(held: Held, prefix: str) -> str:
    """Submit a claim's round with the feed's job definition; its workers are told the test's own ledger and buckets."""
    ctx, record = held.ctx, held.record
    where = replace(ctx.settings, job_definition_prefix=prefix)
    units = paths.round_units(ctx.feed.name, held.token, 1)
    request = jobs.submit_request(
        where, ctx.feed, record.job_name, units=units, count=record.units, memory=ctx.feed.memory
    )
    own = {
        "FILEBATCH_LEDGER": where.ledger,
        "FILEBATCH_RESULTS_BUCKET": ctx.results,
        "FILEBATCH_NAMESPACE": where.namespace,
    }
    request["containerOverrides"]["environment"] += [{"name": name, "value": own[name]} for name in own]
    return ctx.batch.submit_job(**request)["jobId"]


LICENCES, BILL = "/usr/share/filebatch/licences.tsv", "/usr/share/filebatch/sbom.cdx.json"


def size_of(image: str) -> int:
    return int(docker("image", "inspect", "--format={{.Size}}", image).stdout)


def tabbed(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode()), delimiter="\t"))


@pytest.mark.docker
class TestImage:
    def test_it_runs_the_worker_which_says_what_its_environment_lacks(self, image):
        done = run(image)
        assert done.returncode == 78
        assert b"AWS_BATCH_JOB_ID" in done.stdout + done.stderr or b"FILEBATCH_" in done.stdout + done.stderr

    @pytest.mark.parametrize("command", ["touch /opt/filebatch/x", "touch /x"])
    def test_its_root_is_not_its_users_to_write(self, image, command):
        assert run(image, "sh", "-c", command).returncode != 0
        assert docker("run", "--rm", "--network=none", image, "sh", "-c", command).returncode != 0

    @pytest.mark.parametrize(
        "command", ["python -m pip", "python -m ensurepip", "pip --version", "gcc --version", "cc --version"]
    )
    def test_it_has_nothing_that_installs_or_compiles(self, image, command):
        done = run(image, "sh", "-c", command)
        assert re.search(rb"No module named|not found", done.stderr), (done.stdout, done.stderr)

    def test_it_is_a_hundred_megabytes_on_its_base(self, image):
        """docs/processors.md says so."""
        on_base = size_of(image) - size_of(base_of(DOCKERFILE))
        assert 80e6 < on_base < 120e6

    def test_it_lists_what_it_holds_and_where_each_licence_is(self, image):
        listed = {line["package"].partition("@")[0]: line for line in tabbed(run(image, "cat", LICENCES).stdout)}
        locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "worker.txt").read_text(), re.MULTILINE)
        for name in locked:
            one = listed[f"pkg:pypi/{name}"]
            assert one["licence"] != "unknown"
            assert run(image, "ls", *one["texts"].split()).returncode == 0
        assert {"pkg:generic/python", "pkg:deb/debian/libc6"} <= listed.keys()
        assert not {f"pkg:pypi/{name}" for name in ("pip", "setuptools", "wheel")} & listed.keys()
        bill = json.loads(run(image, "cat", BILL).stdout)
        assert {each["purl"] for each in bill["components"]} == {each["package"] for each in listed.values()}

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
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    for source in " ".join(copied).split():
        assert f"!{source}" in ignored
        assert list(ROOT.glob(source))


def test_of_the_library_the_image_has_the_core_alone():
    copied = re.findall(r"^COPY (plugins/\S+) ", DOCKERFILE.read_text(), re.MULTILINE)
    assert copied == ["plugins/filebatch/__init__.py", "plugins/filebatch/core"]


def expanded() -> str:
    """Return the Dockerfile with its numbers filled in."""
    text = DOCKERFILE.read_text()
    return text.replace("${SCRATCH_UID}", re.search(r"^ARG SCRATCH_UID=(\d+)$", text, re.MULTILINE)[1])


class TestWithoutAnEngine:
    """Dockerfile and job definition say the same."""

    def test_a_job_runs_as_whom_the_scratch_folder_belongs_to(self, definition):
        user, group = definition["user"].split(":")
        made = re.search(r"install --directory --owner=(\S+) --group=(\S+) --mode=0700 (\S+)", expanded())
        assert made.groups() == (user, group, "/scratch")
        assert re.search(r"^USER (\S+)$", expanded(), re.MULTILINE)[1] == definition["user"]
        assert user != "0"

    def test_what_is_written_to_is_a_volume_that_the_image_declares(self, definition):
        """Fargate takes a volume's owner from there; otherwise it is root's."""
        declared = re.findall(r"^VOLUME (\S+)$", expanded(), re.MULTILINE)
        assert [point["containerPath"] for point in definition["mountPoints"]] == declared
        assert {"name": "TMPDIR", "value": declared[0]} in definition["environment"]

    def test_volumes_are_as_fargate_wants_them(self, definition):
        """https://docs.aws.amazon.com/batch/latest/APIReference/API_Volume.html: no `host` on Fargate."""
        assert definition["volumes"] == [{"name": point["sourceVolume"]} for point in definition["mountPoints"]]
        assert "linuxParameters" not in definition

    @pytest.mark.parametrize("document", ["worker/Dockerfile", "worker/README.md", "infra/README.md"])
    def test_whoever_builds_it_is_told_for_which_processors(self, document):
        builds = re.findall(r"docker (?:buildx )?build .*", (ROOT / document).read_text())
        assert builds
        assert all("--platform linux/" in build for build in builds)
