"""What is deployed, and to what."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy import contents
from deploy.contents import Files
from deploy.images import Engine
from deploy.mwaa import Waiting
from deploy.places import Place
from deploy.terraform import Infrastructure, Variables
from filebatch.cli.airflow_api import Airflow
from filebatch.feeds.feed import Feed, load_feeds


@dataclass(frozen=True)
class Target:
    """What is deployed to.

    Attributes:
        name: the environment.
        mwaa: name of its environment of Amazon MWAA; "" where it has none.
        infrastructure: its Terraform; None where only files are laid down.
        place: returns where Airflow reads its files, given Terraform's outputs; None where that isn't there yet.
        engine: what builds images.
        airflow: Airflow's REST API, given Terraform's outputs; None where nobody says where it is.
        wait: how to wait.
        scratch: folder of this clone for what Terraform reads.
    """

    name: str
    mwaa: str
    infrastructure: Infrastructure | None
    place: Callable[[Mapping[str, Any]], Place | None]
    engine: Engine
    airflow: Callable[[Mapping[str, Any]], Airflow | None]
    wait: Waiting
    scratch: Path


@dataclass(frozen=True)
class Wanted:
    """What is to be there: files and the image's tag; whether that image may be built from this clone."""

    files: Files
    image: str
    build: bool = True
    of_clone: bool = True


def variables(target: Target, wanted: Wanted, more: Files | None = None) -> Variables:
    """Return Terraform's variables: the image's tag, and the feeds where they aren't the clone's."""
    given = {"image_tag": wanted.image}
    if wanted.of_clone and not more:
        return given
    return {**given, "feeds_dir": str(_feeds_folder(target, {**(more or {}), **contents.feeds(wanted.files)}))}


def _feeds_folder(target: Target, feeds: Files) -> Path:
    """Write feed files into a folder that is named by what it holds; return it."""
    folder = target.scratch / contents.of(json.dumps(contents.hashes(feeds), sort_keys=True).encode())[:12]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in feeds.items():
        (folder / name).write_bytes(content)
    return folder


def feeds_of(target: Target, wanted: Wanted) -> list[Feed]:
    """Return the feeds that are laid down."""
    return load_feeds(_feeds_folder(target, contents.feeds(wanted.files)))[0]
