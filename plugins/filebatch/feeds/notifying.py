"""Whom a feed's runs tell what happened, as its file says it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from filebatch.feeds import checks


class Strict(BaseModel):
    """A part of a feed: it never changes, and knows all of its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Notifier(Strict):
    """One of Airflow's notifiers, as its import path names it.

    Attributes:
        notifier: import path of its class.
        arguments: what it is made with; those that it has as templates know `summary`. Connections hold its secrets.
        when: `always`, or for `problems` alone: runs of which not every file succeeded.
    """

    notifier: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$", max_length=300)]
    arguments: Annotated[dict[str, Any], AfterValidator(checks.json_alone), AfterValidator(checks.no_secrets)] = Field(
        default_factory=dict
    )
    when: Literal["always", "problems"] = "problems"

    def wants(self, status: str) -> bool:
        """Tell whether people are to hear of a run with this status."""
        return self.when == "always" or status != "SUCCEEDED"


class Notify(Strict):
    """Whom a run tells what happened: the environment's topics, by name, one of the feed's own, Airflow's notifiers."""

    stakeholders: bool = True
    developers: bool = True
    topic: bool = False
    notifiers: tuple[Notifier, ...] = Field(default=(), max_length=20)
