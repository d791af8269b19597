"""Whether images start as their job definitions say, tried with this machine's engine on images that it has."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from doctor.told import Finding, NotChecked, Told
from filebatch_local.batch.containers import Containers, options

if TYPE_CHECKING:
    from doctor.environment import Environment

SAYS_WHAT_IT_LACKS = 78  # the worker's exit code without Batch's variables: it has started, and does nothing
OTHER_PROCESSORS = "exec format error"
WITHIN = 120.0  # seconds


def starting(here: Environment) -> Iterator[Told]:
    """Tell of each image that doesn't start with its feed's user, read-only root, volumes and command."""
    known: set[str] = set()
    for feed in here.feeds:
        name = here.settings.job_definition(feed.name)
        found = here.client("batch").describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
        for properties in (each["containerProperties"] for each in found):
            way = json.dumps([properties["image"], properties.get("command"), options(properties, ())])
            if way not in known:
                known.add(way)
                yield from _started(properties)


def _started(properties: Mapping[str, Any]) -> Iterator[Told]:
    image, engine = properties["image"], Containers.find()
    if engine is None:
        yield NotChecked(f"start of image {image}", "no Docker engine answers")
    elif not engine.has(image):
        yield NotChecked(f"start of image {image}", "this machine's engine hasn't got it; `docker pull` it for that")
    else:
        yield from _told(image, *_tried(engine, properties))


def _told(image: str, code: int, last: str) -> Iterator[Told]:
    if OTHER_PROCESSORS in last:
        yield NotChecked(
            f"start of image {image}", "it is for other processors than this machine's, which emulates none"
        )
    elif code != SAYS_WHAT_IT_LACKS:
        yield Finding(
            f"image {image} doesn't start as its job definition says: it ended with {code}: {last}",
            "each of its jobs ends so, and every file of a round fails",
            "build it FROM the worker's image, with its user, folders and command: docs/processors.md",
        )


def _tried(engine: Containers, properties: Mapping[str, Any]) -> tuple[int, str]:
    """Run a container without network and without Batch's variables; return its exit code and its last words."""
    image = properties["image"]
    given = [f"--env={each['name']}={each['value']}" for each in properties.get("environment") or []]
    name = f"filebatch-doctor-{uuid.uuid4().hex}"
    confined = ["--rm", "--pull=never", f"--name={name}", "--network=none"]
    confined += [*options(properties, engine.declared_volumes(image)), *given]
    command = [engine.docker, "run", *confined, image, *(properties.get("command") or [])]
    try:
        ended = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=WITHIN
        )
    except subprocess.TimeoutExpired:
        subprocess.run([engine.docker, "rm", "--force", name], capture_output=True, check=False)
        return 0, f"it still ran after {WITHIN:g} s"
    said = [line for line in ended.stdout.splitlines() if line.strip()]
    return ended.returncode, " ".join(said[-1].split()) if said else "it said nothing"
