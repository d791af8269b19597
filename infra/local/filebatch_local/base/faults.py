"""What may go wrong with a request to AWS and between requests, in one table: for whoever makes it go wrong on purpose.

The simulation (tests/simulation) and the local AWS at its meanest (mean.py) have their kinds from here.

Whether the request takes effect and whether its caller hears of that are two things: every kind of fault is one of
their combinations, with what AWS calls it. https://docs.aws.amazon.com/general/latest/gr/api-retries.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: its name.
        meaning: what happens, for people.
        applied: how often the request takes effect.
        answered: whether the caller gets an answer.
        refusals: with what it is refused, as code and status, by service; "" stands for all others.
        only: operations that it can happen to; none for all.
        caller_dies: whether it's the last thing that the caller does.
    """

    name: str
    meaning: str
    applied: int = 0
    answered: bool = False
    refusals: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    only: frozenset[str] = frozenset()
    caller_dies: bool = False

    def may_happen_to(self, operation: str) -> bool:
        """Tell whether it can happen to an operation of a client, such as `put_object`."""
        return not self.only or operation in self.only

    def refusal(self, service: str) -> tuple[str, int] | None:
        """Return code and status with which a service refuses, None where it doesn't."""
        return self.refusals.get(service, self.refusals.get(""))


FAULTS = (
    Fault(
        "throttled",
        "refused, as there are too many requests",
        answered=True,
        refusals={
            "dynamodb": ("ProvisionedThroughputExceededException", 400),
            "s3": ("SlowDown", 503),
            "batch": ("TooManyRequestsException", 429),
            "": ("Throttling", 400),
        },
    ),
    Fault("broken", "refused, as the service has a fault", answered=True, refusals={"": ("InternalError", 500)}),
    Fault("unreachable", "never arrived", applied=0),
    Fault("answer lost", "made, and its answer was lost", applied=1),
    Fault("sent again", "made, its answer was lost, and the client sent it again", applied=2, answered=True),
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
    Fault(
        "in conflict",
        "refused, as another conditional write of the key was under way",
        answered=True,
        refusals={"": ("ConditionalRequestConflict", 409)},
        only=frozenset({"put_object"}),
    ),
    Fault("died before", "never sent: its process died", caller_dies=True),
    Fault("died after", "made, and its process died before the answer came", applied=1, caller_dies=True),
)
BY_NAME = {fault.name: fault for fault in FAULTS}

# What else than requests may go wrong, each with what it means.
MISHAPS: Mapping[str, str] = {
    "index lag": "the ledger's index is behind",
    "event lost": "an event of a new file never comes",
    "event late": "an event of a new file comes late",
    "event twice": "an event of a new file comes twice",
    "ring lost": "Airflow drops an asset event",
    "stall": "a process stands still for minutes",
    "spot": "the machine under a container is taken away",
    "killed": "a container is killed",
    "not started": "a container can't be started",
    "unlisted": "ListJobs doesn't know a job yet",
    "forgotten": "Batch forgets a job that has ended",
    "left out": "BatchGetItem leaves keys for later",
    "outlives": "a container goes on for minutes after Batch has said that it ended",
    "two tries": "a cleared task goes on for a while beside its next try",
}
# What is a matter of course where everything takes time, as in the simulation, and has to be made elsewhere.
BY_THE_WAY: Mapping[str, str] = {
    "message twice": "a message of a queue is there twice",
    "out of order": "a message of a queue comes before older ones",
    "slow start": "a container starts late",
}
