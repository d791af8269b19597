"""What any local AWS has recorded, held to the policies that Terraform renders.

tests/golden/roles.json keeps the rendering of one applied environment, so that a test needs no Terraform to be judged
by it; tests/infra/test_roles.py keeps the copy true.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from filebatch_local import access
from filebatch_local.background import LocalAws
from golden import golden
from infra import calls, policies
from infra.policies import Call

# Which name in recordings stands for which role.
AIRFLOW, DEPLOY = "airflow", "deploy"
ROLES = {AIRFLOW: "airflow", access.JOB: "job", DEPLOY: "deploy"}

ANY_FEED = "lines"  # for a feed that the rendering hasn't: a policy treats all alike
# A name in an ARN: behind the kind of resource, where there is one.
NAMED = re.compile(
    r"(?P<kind>arn:aws:(?P<service>[^:]+):[^:]*:[^:]*:(?:(?:table|job-queue|job-definition)/)?)(?P<name>[^/:]+)"
)


def airflow(aws: LocalAws) -> dict[str, str]:
    """Return the credentials with which calls are recorded as the role airflow's."""
    return aws.credentials(AIRFLOW)


def judge(recording: Path, settings: Mapping[str, Any]) -> None:
    """Fail where a role did what its policy doesn't allow.

    Args:
        recording: what a local AWS wrote.
        settings: the settings of the environment that was recorded.
    """
    rendered, lines = golden("roles"), recording.read_text(encoding="utf-8").splitlines()
    here = names(settings)
    made = [_renamed(call, here, rendered["names"]) for call in calls.read(lines, ROLES)]
    assert "airflow" in {call.role for call in made}, "nothing that Airflow asked was recorded"
    for role, statements in rendered["policies"].items():
        refused = policies.denied(statements, [call for call in made if call.role == role])
        assert not refused, f"the role {role} in infra/modules/iam may not do what it did: {refused}"


def names(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return an environment's resources as policies call them, by service and what they are for."""
    found = {"dynamodb ledger": settings["ledger"], "batch queue": settings["job_queue"]}
    found["cloudwatch namespace"] = settings["namespace"]
    found |= {f"s3 {use}": bucket for use, bucket in settings["buckets"].items()}
    found |= {f"sns {use}": topic.rsplit(":", 1)[-1] for use, topic in settings["topics"].items()}
    found |= {f"sqs {feed}": queue.rsplit("/", 1)[-1] for feed, queue in settings["queues"].items()}
    found |= {f"batch {feed}": definition for feed, definition in settings["job_definitions"].items()}
    return found


def _renamed(call: Call, here: Mapping[str, str], there: Mapping[str, str]) -> Call:
    """Return a call as it would be made of the resource that is there for what this one is for here."""
    metrics = ("cloudwatch:namespace", here["cloudwatch namespace"])
    if metrics in call.context:
        return replace(call, context=((metrics[0], there["cloudwatch namespace"]),))
    found = NAMED.match(call.resource)
    if not found:
        return call
    service = found["service"]
    uses = [use for use, name in here.items() if use.startswith(f"{service} ") and name == found["name"]]
    if not uses:
        return call
    name = there.get(uses[0], there.get(f"{service} {ANY_FEED}"))
    return replace(call, resource=f"{found['kind']}{name}{call.resource[found.end() :]}")
