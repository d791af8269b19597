"""Environments that take their time: what each is like at a moment, and what a request makes of it.

https://docs.aws.amazon.com/mwaa/latest/API/API_Environment.html has the states. Creating and updating take `takes`
seconds each, 20 to 30 minutes on AWS. An update that fails is rolled back, which takes as long again; then the
environment is as it was.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from filebatch_local.mwaa.requests import RefusedError

UPDATABLE = {"AVAILABLE", "UPDATE_FAILED"}
NO_PARTS = ("Name", "Tags")


@dataclass(frozen=True)
class Change:
    """A creation, update or deletion under way.

    Attributes:
        kind: CREATING, UPDATING or DELETING.
        since: when it began, in seconds.
        to: the parameters that it brings.
        error: why it fails, None where it doesn't.
    """

    kind: str
    since: float
    to: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class Environment:
    """An environment: what it was last known to be, and the change under way."""

    known: Mapping[str, Any]
    change: Change | None = None

    def at(self, now: float, takes: float) -> Environment:
        """Return what it is at a moment: a change whose time is over has come to its end."""
        change = self.change
        if change is None or now - change.since < (2 * takes if self._rolls_back else takes):
            return self
        return Environment({**self.known, **_ended(change)})

    @property
    def _rolls_back(self) -> bool:
        return bool(self.change and self.change.kind == "UPDATING" and self.change.error)

    def status(self, now: float, takes: float) -> str:
        """Return its Status at a moment."""
        change = self.change
        if change is None:
            return str(self.known["Status"])
        return "ROLLING_BACK" if self._rolls_back and now - change.since >= takes else change.kind


def _ended(change: Change) -> dict[str, Any]:
    if change.kind == "CREATING":
        return {"Status": "CREATE_FAILED" if change.error else "AVAILABLE"}
    if change.kind == "DELETING":
        return {"Status": "DELETED"}
    update = {"CreatedAt": time.time(), "Status": "FAILED" if change.error else "SUCCESS"}
    if change.error:
        error = {"ErrorCode": "INCORRECT_CONFIGURATION", "ErrorMessage": change.error}
        return {"Status": "UPDATE_FAILED", "LastUpdate": {**update, "Error": error}}
    return {**change.to, "Status": "AVAILABLE", "LastUpdate": update}


def created(params: Mapping[str, Any], now: float, error: str | None) -> Environment:
    """Return an environment that is being made, with what AWS fills in."""
    known = {"MaxWorkers": 10, "MinWorkers": 1, "Schedulers": 2, "WebserverAccessMode": "PRIVATE_ONLY", **params}
    return Environment({**known, "Status": "CREATING"}, Change("CREATING", now, error=error))


def updated(environment: Environment, params: Mapping[str, Any], now: float, error: str | None) -> Environment:
    """Return an environment that is being updated.

    Raises:
        RefusedError: it's in a state in which AWS takes no update.
    """
    _check_settled(environment)
    to = {name: value for name, value in params.items() if name not in NO_PARTS}
    return replace(environment, change=Change("UPDATING", now, to, error))


def deleted(environment: Environment, now: float) -> Environment:
    """Return an environment that is being deleted.

    Raises:
        RefusedError: it's in a state in which AWS doesn't delete it.
    """
    if environment.known["Status"] != "CREATE_FAILED":
        _check_settled(environment)
    return replace(environment, change=Change("DELETING", now))


def _check_settled(environment: Environment) -> None:
    status = environment.change.kind if environment.change else environment.known["Status"]
    if status not in UPDATABLE:
        name = environment.known["Name"]
        raise RefusedError("ValidationException", f"environment {name} is {status}: it must be AVAILABLE for that")
