"""What is there, and what a deployment would change, by part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3

from deploy import contents, deployments, images, mwaa, plan
from deploy.deployments import RefusedError
from deploy.places import Bucket, Place
from deploy.plan import Plan
from deploy.target import Target, Wanted, variables
from deploy.terraform import NotLookedUpError


@dataclass
class Seen:
    """What was found, and what would change.

    Attributes:
        outputs: Terraform's.
        changes: of the infrastructure, a line each.
        image: the image is in the registry; None where there is none yet, or where nobody asked.
        files: what of the files would change; None where nobody could look.
        restarts: MWAA has to start anew.
        unknown: part => why it wasn't looked up.
    """

    outputs: Mapping[str, Any] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    image: bool | None = None
    files: Plan | None = None
    restarts: bool = False
    unknown: dict[str, str] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.unknown or self.changes or self.restarts) and self.image is not False and _is_empty(self.files)


def _is_empty(files: Plan | None) -> bool:
    return files is not None and files.empty


def look(target: Target, wanted: Wanted) -> Seen:
    """Find out what is there, and what would change; what can't be asked is in `unknown`."""
    seen = Seen()
    if target.infrastructure:
        try:
            seen.outputs = target.infrastructure.outputs()
            seen.changes = target.infrastructure.plan(variables(target, wanted))
        except NotLookedUpError as why:
            seen.unknown["infrastructure"] = str(why)
        if url := seen.outputs.get("repository_url"):
            seen.image = images.is_there(url, wanted.image)
    elif target.mwaa:
        seen.outputs = mwaa.outputs(boto3.client("mwaa"), target.mwaa)
    place = target.place(seen.outputs)
    if place:
        seen.files = planned(place, wanted)
        seen.restarts = bool(target.mwaa) and _restarts(seen, place)
    return seen


def _restarts(seen: Seen, place: Place) -> bool:
    name = seen.outputs.get("mwaa_environment")
    if not name or not isinstance(place, Bucket) or seen.files is None:
        return False
    touched = {*seen.files.new, *seen.files.changed}
    return bool(touched & set(mwaa.VERSIONS)) or mwaa.differs(boto3.client("mwaa"), name, versions(place))


def versions(place: Bucket) -> dict[str, str]:
    """Return the versions that are there now of what MWAA reads at its start."""
    return {path: place.version(path) for path in mwaa.VERSIONS}


def planned(place: Place, wanted: Wanted) -> Plan:
    """Return what of the files would change."""
    return plan.made(wanted.files, deployments.owned(place), place)


def told(seen: Seen, target: Target, wanted: Wanted) -> list[str]:
    """Return the plan in lines, by part."""
    lines = [_told_infrastructure(seen, target), *(f"  {line}" for line in seen.changes), _told_image(seen, wanted)]
    if seen.files:
        lines += plan.told(seen.files)
    else:
        why = (
            seen.unknown.get("infrastructure", "the bucket isn't there yet")
            if target.mwaa
            else ("no place was given (TO=FOLDER or TO=s3://BUCKET)")
        )
        lines += [f"{name}: not looked up: {why}" for name in contents.PARTS]
    if seen.restarts:
        lines.append(f"MWAA starts anew with these plugins and requirements: {mwaa.USUAL}")
    return lines


def _told_infrastructure(seen: Seen, target: Target) -> str:
    if target.infrastructure is None:
        return "infrastructure: not looked up, and not changed: --files-only"
    if why := seen.unknown.get("infrastructure"):
        return f"infrastructure: not looked up: {why}"
    return f"infrastructure: {len(seen.changes) or 'nothing'} to change"


def _told_image(seen: Seen, wanted: Wanted) -> str:
    known = {True: "is there", False: "to build and push" if wanted.build else "isn't there", None: "not looked up"}
    return f"image: {wanted.image} {known[seen.image]}"


def check(target: Target, wanted: Wanted, seen: Seen) -> None:
    """See that the deployment can be carried out to its end, before anything is changed.

    Raises:
        RefusedError: it can't.
    """
    if why := seen.unknown.get("infrastructure"):
        raise RefusedError(f"the infrastructure can't be looked at: {why}; or lay down files alone: ARGS=--files-only")
    if target.infrastructure is None or seen.image:
        return
    if not wanted.build:
        raise RefusedError(f"image {wanted.image} isn't in the registry: push it, or name one that is there: IMAGE=TAG")
    if why := target.engine.problem():
        raise RefusedError(
            f"image {wanted.image} isn't in the registry, and can't be built here: {why}; start an engine, push it "
            "from a machine that has one (docs/deploy.md), or name one that is there: IMAGE=TAG"
        )
