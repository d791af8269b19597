"""What a container takes: vCPU·s and GiB·s, of which Fargate's bill is made; `runs/prices.py` says what they cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass

MIB_PER_GIB = 1024


@dataclass(frozen=True)
class Usage:
    """vCPU·s and GiB·s."""

    vcpu_seconds: float = 0.0
    gib_seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        """Return both together."""
        return Usage(self.vcpu_seconds + other.vcpu_seconds, self.gib_seconds + other.gib_seconds)

    def times(self, factor: float) -> Usage:
        """Return it so many times."""
        return Usage(self.vcpu_seconds * factor, self.gib_seconds * factor)

    def to_json(self) -> dict[str, float]:
        """Return it as JSON values, to thousandths."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Billed:
    """What was billed for containers.

    Attributes:
        containers: how many there were; each attempt has one of its own.
        on_demand: what those on Fargate took.
        spot: what those on Fargate Spot took.
        estimated: whether some were taken to be like the others, as only so many fit into an answer.
    """

    containers: int = 0
    on_demand: Usage = Usage()
    spot: Usage = Usage()
    estimated: bool = False

    @property
    def usage(self) -> Usage:
        """All that was taken."""
        return self.on_demand + self.spot

    def __add__(self, other: Billed) -> Billed:
        """Return both together."""
        return Billed(
            self.containers + other.containers,
            self.on_demand + other.on_demand,
            self.spot + other.spot,
            self.estimated or other.estimated,
        )


def of_container(seconds: float, vcpu: float, memory: float) -> Usage:
    """Return what a container of so many vCPUs and MiB of memory takes in so many seconds."""
    return Usage(seconds * vcpu, seconds * memory / MIB_PER_GIB)
