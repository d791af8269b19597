"""What any local AWS has recorded, held to the policies that Terraform renders.

tests/golden/roles.json keeps the rendering of one applied environment, so that a test needs no Terraform to be judged
by it; tests/infra/test_roles.py keeps the copy true.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from filebatch_local.serve.background import LocalAws
from golden import golden
from infra import calls, policies
from infra.policies import Call

# Which name in recordings stands for which role.
AIRFLOW, DEPLOY = "airflow", "deploy"
JOB = re.compile(r".*?-(?P<role>job-.+)")

FEEDS = "feeds"  # what is named by a prefix and a feed
ANY_FEED = "lines"  # for any other: policies treat all alike
# A name in an ARN: behind the kind of resource, where there is one.
NAMED = re.compile(
    r"(?P<kind>arn:aws:(?P<service>[^:]+):[^:]*:[^:]*:(?:(?:table|job-queue|job-definition)/|log-group:)?)(?P<name>[^/:]+)"
)


def airflow(aws: LocalAws) -> dict[str, str]:
    """Return the credentials with which calls are recorded as the role airflow's."""
    return aws.credentials(AIRFLOW)


def role_of(name: str) -> str | None:
    """Return the role that a name in recordings stands for; None for others' names."""
    if name in {AIRFLOW, DEPLOY}:
        return name
    found = JOB.fullmatch(name)
    return found["role"] if found else None


def judge(recording: Path, settings: Mapping[str, Any], prefixes: Mapping[str, str] = MappingProxyType({})) -> None:
    """Fail where a role did what its policy doesn't allow.

    Args:
        recording: what a local AWS wrote.
        settings: the settings of the environment that was recorded.
        prefixes: first folders of feeds' keys, by feed, where they aren't the feed's name.
    """
    found = made(recording.read_text(encoding="utf-8").splitlines(), settings, prefixes)
    assert "airflow" in {call.role for call in found}, "nothing that Airflow asked was recorded"
    for role in sorted({call.role for call in found}):
        statements = golden("roles")["policies"][role]
        refused = policies.denied(statements, [call for call in found if call.role == role])
        assert not refused, f"the role {role} in infra/modules/iam may not do what it did: {refused}"


def made(
    lines: Iterable[str], settings: Mapping[str, Any], prefixes: Mapping[str, str] = MappingProxyType({})
) -> list[Call]:
    """Read what was asked of an environment; return it in the names of the one whose rendering is kept."""
    rendered, here = golden("roles"), names(settings)
    known = (_of_known_feed(call, rendered, prefixes) for call in calls.read(lines, role_of))
    return [_renamed(call, here, rendered["names"]) for call in known]


def names(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return an environment's resources as policies call them, by service and what they are for."""
    found = {"environment": settings["environment"], "cloudwatch namespace": settings["namespace"]}
    found |= {"dynamodb ledger": settings["ledger"], "batch queue": settings["job_queue"]}
    found["logs jobs"] = f"{settings['environment']}-batch-jobs"
    found |= {f"s3 {use}": bucket for use, bucket in settings["buckets"].items()}
    found |= {f"sns {use}": topic.rsplit(":", 1)[-1] for use, topic in settings["topics"].items()}
    found[f"sqs {FEEDS}"] = settings["queue_prefix"].rsplit("/", 1)[-1]
    found[f"batch {FEEDS}"] = settings["job_definition_prefix"]
    return found


def _renamed(call: Call, here: Mapping[str, str], there: Mapping[str, str]) -> Call:
    """Return a call as it would be made of the resource that is there for what this one is for here."""
    call = replace(call, context=tuple((key, _renamed_value(key, value, here, there)) for key, value in call.context))
    found = NAMED.match(call.resource)
    if not found:
        return call
    service = found["service"]
    uses = [use for use, name in here.items() if use.startswith(f"{service} ") and name == found["name"]]
    of_feed, dead = f"{service} {FEEDS}", found["name"].endswith("_dead")
    if uses:
        name = there[uses[0]]
    elif of_feed in here and found["name"].startswith(here[of_feed]) and not dead:
        name = there[of_feed] + ANY_FEED
    else:
        return call
    return replace(call, resource=f"{found['kind']}{name}{call.resource[found.end() :]}")


def _renamed_value(key: str, value: str, here: Mapping[str, str], there: Mapping[str, str]) -> str:
    if key.endswith("Tag/filebatch:environment") and value == here["environment"]:
        return there["environment"]
    if key == "cloudwatch:namespace" and value == here["cloudwatch namespace"]:
        return there["cloudwatch namespace"]
    bucket = f"s3://{here['s3 new_files']}/"
    return f"s3://{there['s3 new_files']}/{value.removeprefix(bucket)}" if value.startswith(bucket) else value


def _of_known_feed(call: Call, rendered: Mapping[str, Any], prefixes: Mapping[str, str]) -> Call:
    """Return what a job of a feed that the rendering hasn't did as if it were ANY_FEED's, whose files it names."""
    feed = call.role.removeprefix("job-")
    if feed == call.role or call.role in rendered["policies"]:
        return call
    own = "|".join(map(re.escape, (feed, prefixes.get(feed, feed))))
    part = re.compile(rf"(?<![^/#])(?:{own})(?![^/])")
    context = tuple((key, part.sub(ANY_FEED, value)) for key, value in call.context)
    return Call(f"job-{ANY_FEED}", call.action, part.sub(ANY_FEED, call.resource), context)
