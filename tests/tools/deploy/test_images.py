"""How the worker's image is built and pushed."""

from pathlib import Path

from aws import feed_of
from deploy import images

NAME = "1.dkr.ecr.eu-west-1.amazonaws.com/acme-registry-worker:0.1.0"


def test_for_one_kind_of_processor_it_is_built_and_then_pushed():
    build, push = images.commands(Path("/clone"), NAME, ["linux/arm64"])
    assert build[:4] == ["docker", "build", "--platform", "linux/arm64"]
    assert build[-3:] == ["--tag", NAME, "/clone"]
    assert push == ["docker", "push", NAME]


def test_for_several_it_is_built_for_all_and_pushed_at_once():
    (build,) = images.commands(Path("/clone"), NAME, ["linux/amd64", "linux/arm64"])
    assert build[:5] == ["docker", "buildx", "build", "--platform", "linux/amd64,linux/arm64"]
    assert "--push" in build


def test_another_base_is_given_to_the_build():
    build, _ = images.commands(Path("/clone"), NAME, ["linux/amd64"], "base:1@sha256:0")
    assert build[build.index("--build-arg") + 1] == "BASE=base:1@sha256:0"


def test_it_is_for_the_processors_that_feeds_have():
    assert images.platforms(["ARM64", "X86_64", "ARM64"]) == ["linux/amd64", "linux/arm64"]
    assert images.platforms([]) == ["linux/amd64"]


def test_a_tag_tells_all_that_makes_an_image_another(clone, monkeypatch):
    arm = feed_of(architecture="ARM64")
    tags = {images.tag(clone, [feed_of()]), images.tag(clone, [feed_of(), arm]), images.tag(clone, [arm])}
    monkeypatch.setenv("BASE", "base:1")
    tags.add(images.tag(clone, [feed_of()]))
    monkeypatch.delenv("BASE")
    for file in (
        "worker/Dockerfile",
        "worker/image/new.py",
        "plugins/filebatch/__init__.py",
        "requirements/worker.txt",
    ):
        (clone / file).write_text("# other\n")
        tags.add(images.tag(clone, [feed_of()]))
    assert len(tags) == 8


def test_what_is_no_part_of_an_image_leaves_its_tag(clone):
    before = images.tag(clone, [feed_of()])
    (clone / "worker" / "README.md").write_text("other words\n")
    own = feed_of(image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/own:1", architecture="ARM64")
    assert images.tag(clone, [feed_of(), own]) == before
