"""`make deploy` with a real engine: the image is built from the clone, pushed to a real registry, and run from there.

moto's ECR is no registry: what is pushed to ours is told to it, as in ECR both are one.
"""

import base64
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import engine
from aws import ROOT, until
from deploy import __main__ as command
from deploy import images
from filebatch_local.base.ports import free_port

pytestmark = pytest.mark.docker

SERVER = shutil.which("docker-registry") or shutil.which("registry")
CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/images}}, delete: {{enabled: true}}}}
http: {{addr: "{host}"}}
auth: {{htpasswd: {{realm: test, path: {folder}/passwords}}}}
"""
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True)
class Registry:
    """A registry that asks for the user and password of the local AWS's ECR."""

    host: str
    login: tuple[str, str]

    def asked(self, path: str) -> bytes:
        request = urllib.request.Request(f"http://{self.host}/v2/{path}", headers={"Accept": MANIFEST})
        request.add_header("Authorization", f"Basic {base64.b64encode(':'.join(self.login).encode()).decode()}")
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - on this machine
            return bytes(answer.read())

    def answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://{self.host}/v2/", timeout=5)
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            return False
        return False  # it lets anybody in


@dataclass
class Ecr:
    """The engine, and what ECR knows of what it pushes."""

    docker: images.Docker
    registry: Registry
    connect: object
    pushed: list[str] = field(default_factory=list)

    def problem(self):
        return self.docker.problem()

    def push(self, image, platforms, login):
        self.docker.push(image, platforms, login)
        name, _, tag = image.rpartition(":")
        repository = name.partition("/")[2]
        manifest = self.registry.asked(f"{repository}/manifests/{tag}").decode()
        self.connect("ecr").put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)
        self.pushed.append(image)


@pytest.fixture
def registry(world, tmp_path) -> Iterator[Registry]:
    engine.needed()
    if SERVER is None:
        pytest.skip("there is no registry to push to: Debian's docker-registry isn't installed")
    crypt = pytest.importorskip("crypt", reason="Python 3.13 can't make the registry's password file")
    found = Registry(f"127.0.0.1:{free_port()}", images.login())
    hashed = crypt.crypt(found.login[1], crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))
    (tmp_path / "passwords").write_text(f"{found.login[0]}:{hashed}\n")
    (tmp_path / "config.yml").write_text(CONFIG.format(folder=tmp_path, host=found.host))
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([SERVER, "serve", tmp_path / "config.yml"], stdout=log, stderr=log)
    try:
        until(found.answers)
        yield found
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def ecr(world, registry, tmp_path, monkeypatch) -> Iterator[Ecr]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))  # the login isn't the user's own
    monkeypatch.setenv("BASE", engine.base_of(ROOT / "worker" / "Dockerfile"))
    shutil.copytree(ROOT / "plugins", world.clone / "plugins", dirs_exist_ok=True)
    world.terraform.host = registry.host
    made = Ecr(images.Docker(world.clone), registry, world.connect)
    monkeypatch.setattr(command, "Docker", lambda root: made)
    yield made
    for image in made.pushed:
        engine.docker("rmi", "--force", image)


def test_it_is_pushed_once_under_the_hash_of_what_it_is_made_of_and_what_is_pulled_is_the_worker(world, ecr):
    assert world.deploy() == 0
    assert world.deploy() == 0

    (image,) = ecr.pushed
    assert image == f"{ecr.registry.host}/{world.terraform.name}:{command._tag()}"
    assert engine.docker("rmi", image).returncode == 0
    assert engine.docker("pull", image).returncode == 0, os.environ["DOCKER_CONFIG"]
    assert engine.run(image).returncode == 78  # it says what its environment lacks

    changed = Path(world.clone) / "worker" / "filebatch_worker" / "new.txt"
    changed.write_text("other code")
    assert world.deploy("--image", image.rpartition(":")[2]) == 0
    assert ecr.pushed == [image]
    assert world.terraform.applied["image"] == image.rpartition(":")[2]

    assert world.deploy() == 0
    assert len(ecr.pushed) == 2
    assert ecr.pushed[1] != image
    assert engine.run(ecr.pushed[1], "cat", "/opt/filebatch/filebatch_worker/new.txt").stdout == b"other code"


def test_a_build_that_fails_ends_the_deployment_and_the_next_goes_on(world, ecr, capsys):
    dockerfile = world.clone / "worker" / "Dockerfile"
    whole = dockerfile.read_text()
    dockerfile.write_text(whole.replace('CMD ["python"', 'RUN false\nCMD ["python"'))
    assert world.deploy() == 1
    assert ecr.pushed == []
    assert "nothing more was done" in capsys.readouterr().err
    dockerfile.write_text(whole)
    assert world.deploy(*world.taking_over()) == 0
    assert len(ecr.pushed) == 1
