"""A deployment, step by step; each looks at what is there and does what is missing.

So the same command goes on with one that was broken off. The image is in the registry before a job definition names it.
Queues and job definitions are there before the DAGs of their feeds, and go after them. The library is there, and MWAA
has started with it, before the DAGs that import it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import boto3

from deploy import contents, deployments, images, mwaa, plan, terraform
from deploy.contents import Files
from deploy.deployments import Deployment, RefusedError
from deploy.looking import Seen, planned, versions
from deploy.places import Bucket, Place
from deploy.target import Target, Wanted, feeds_of, variables

CODE = ("plugins", "requirements")
DAGS = ("DAGs", "feeds")


def carry_out(target: Target, wanted: Wanted, seen: Seen, who: str, now: str, take_over: str | None) -> Deployment:
    """Do what is left of a deployment; return its record."""
    place = target.place(seen.outputs)
    with _locked(place, who, now, take_over):
        if place and planned(place, wanted) != seen.files:
            raise RefusedError("somebody has deployed since this plan was shown; look at it again")
        outputs = _infrastructure(target, wanted, seen, place)
        found = place or target.place(outputs)
        if found is None:
            raise RefusedError("no place to deploy to; such as TO=/srv/airflow, or TO=s3://BUCKET")
        with nullcontext() if place else _locked(found, who, now, take_over):
            return _files(target, wanted, outputs, found, who, now)


@contextmanager
def _locked(place: Place | None, who: str, now: str, take_over: str | None) -> Iterator[None]:
    with deployments.locked(place, who, now, take_over) if place else nullcontext():
        yield


def _infrastructure(target: Target, wanted: Wanted, seen: Seen, place: Place | None) -> Mapping[str, Any]:
    """Bring image and infrastructure; feeds that go keep what they have until their DAGs are gone."""
    infra = target.infrastructure
    if infra is None:
        return seen.outputs
    url = seen.outputs.get("repository_url")
    if not url:
        infra.apply(variables(target, wanted), terraform.REGISTRY)
        url = infra.outputs()["repository_url"]
    if not images.is_there(url, wanted.image):
        _push(target, wanted, url)
    leaving = _leaving(place, seen)
    if seen.changes or not seen.outputs:
        infra.apply(variables(target, wanted, leaving))
    return infra.outputs()


def _leaving(place: Place | None, seen: Seen) -> Files:
    gone = [path for path in (seen.files.removed if seen.files else ()) if contents.part(path) == "feeds"]
    kept = {path: place.read(path) for path in gone} if place else {}
    return contents.feeds({path: content for path, content in kept.items() if content is not None})


def _push(target: Target, wanted: Wanted, url: str) -> None:
    image, platforms = f"{url}:{wanted.image}", images.of_feeds(feeds_of(target, wanted))
    target.wait.tell(f"image: builds {image} for {', '.join(platforms)}, and pushes it")
    target.engine.push(image, platforms, images.login())


def _files(target: Target, wanted: Wanted, outputs: Mapping[str, Any], place: Place, who: str, now: str) -> Deployment:
    changes = planned(place, wanted)
    number = next((each.number for each in deployments.newest(place)), 0) + 1
    deployment = Deployment(number, who, now, contents.hashes(wanted.files), wanted.image if outputs else "")
    deployments.begin(place, deployment, wanted.files)
    plan.lay_down(changes, wanted.files, place, CODE)
    if target.mwaa and isinstance(place, Bucket) and (name := outputs.get("mwaa_environment")):
        mwaa.restart(boto3.client("mwaa"), name, versions(place), target.wait)
    plan.lay_down(changes, wanted.files, place, DAGS)
    plan.remove(changes, place)
    if target.infrastructure and any(contents.part(path) == "feeds" for path in changes.removed):
        target.infrastructure.apply(variables(target, wanted))
    deployments.finish(place, deployment)
    return deployment
