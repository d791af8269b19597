"""An environment of Amazon MWAA: started anew where what it reads at its start has changed.

https://docs.aws.amazon.com/mwaa/latest/API/API_Environment.html has the states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.deployments import RefusedError

SETTLED = {"AVAILABLE", "UPDATE_FAILED"}  # it works, and takes an update
LOST = {"CREATE_FAILED", "UNAVAILABLE", "DELETING", "DELETED"}
VERSIONS = {
    "plugins.zip": ("PluginsS3Path", "PluginsS3ObjectVersion"),
    "requirements.txt": ("RequirementsS3Path", "RequirementsS3ObjectVersion"),
}
USUAL = "20 to 30 minutes are normal"


@dataclass(frozen=True)
class Waiting:
    """How to wait.

    Attributes:
        pause: sleeps for so many seconds.
        tell: says a line to whoever waits.
        every: seconds between looks at MWAA.
        looks: looks at MWAA before giving up.
        verify_every: seconds between looks at DAGs and the canary.
        verify_looks: looks at them before giving up.
    """

    pause: Callable[[float], None]
    tell: Callable[[str], None]
    every: float = 60.0
    looks: int = 120
    verify_every: float = 15.0
    verify_looks: int = 60


def outputs(client: Any, name: str) -> dict[str, str]:
    """Return what Terraform's outputs say of an environment, from the environment itself."""
    bucket = client.get_environment(Name=name)["Environment"]["SourceBucketArn"].rpartition(":")[2]
    return {"mwaa_environment": name, "airflow_bucket": bucket}


def differs(client: Any, name: str, versions: Mapping[str, str]) -> bool:
    """Tell whether an environment started with other versions of these files than the bucket's current ones."""
    environment = client.get_environment(Name=name)["Environment"]
    return any(environment.get(VERSIONS[path][1]) != version for path, version in versions.items())


def restart(client: Any, name: str, versions: Mapping[str, str], wait: Waiting) -> bool:
    """Have an environment start with these versions (path => version), and wait for it; tell whether it had to.

    Raises:
        RefusedError: MWAA has rolled the update back, or the environment can't be updated.
    """
    before = settled(client, name, wait)
    if not differs(client, name, versions):
        return False
    asked = {
        field: value
        for path, each in VERSIONS.items()
        for field, value in zip(each, (path, versions[path]), strict=True)
    }
    wait.tell(f"MWAA: {name} starts anew with these plugins and requirements; {USUAL}")
    client.update_environment(Name=name, **asked)
    after = settled(client, name, wait, before)
    if any(after.get(VERSIONS[path][1]) != version for path, version in versions.items()):
        error = after.get("LastUpdate", {}).get("Error", {})
        why = f"{error.get('ErrorCode', 'no code')}: {error.get('ErrorMessage', 'no reason')}"
        raise RefusedError(
            f"MWAA has rolled its update back: {why}. "
            f"{name} runs as before, and its DAGs weren't touched. Look at requirements_install_* in the log group "
            f"airflow-{name}-Scheduler, correct it, and deploy again; or ARGS='--rollback NUMBER'"
        )
    wait.tell(f"MWAA: {name} is {after['Status']}")
    return True


def settled(client: Any, name: str, wait: Waiting, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Wait until no change of an environment is under way, with `before` until an update since then is over; return it.

    Raises:
        RefusedError: it never will be, or not in time.
    """
    for look in range(wait.looks):
        found: dict[str, Any] = client.get_environment(Name=name)["Environment"]
        if found["Status"] in LOST:
            raise RefusedError(f"MWAA: {name} is {found['Status']}: see its page in the console, then deploy again")
        over = before is None or found.get("LastUpdate") != before.get("LastUpdate")
        if found["Status"] in SETTLED and over:
            return found
        wait.tell(f"MWAA: {name} is {found['Status']}, for {look * wait.every / 60:.0f} min; {USUAL}")
        wait.pause(wait.every)
    raise RefusedError(f"MWAA: {name} was still busy after {wait.looks * wait.every / 60:.0f} min; deploy again later")
