"""The sizes of a container that Fargate offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# vCPU → memory in MiB that Fargate offers with it:
# https://docs.aws.amazon.com/batch/latest/userguide/fargate.html (resource requirements)
FARGATE_MEMORY: Mapping[float, Sequence[int]] = {
    0.25: (512, 1024, 2048),
    0.5: range(1024, 4096 + 1, 1024),
    1: range(2048, 8192 + 1, 1024),
    2: range(4096, 16384 + 1, 1024),
    4: range(8192, 30720 + 1, 1024),
    8: range(16384, 61440 + 1, 4096),
    16: range(32768, 122880 + 1, 8192),
}


def check_vcpu(vcpu: float) -> None:
    """Raise ValueError, which says what is offered, unless Fargate has containers of so many vCPUs."""
    if vcpu not in FARGATE_MEMORY:
        raise ValueError(f"one of {', '.join(map(str, FARGATE_MEMORY))} (Fargate)")


def check_memory(vcpu: float, memory: int) -> None:
    """Raise ValueError, which says what is offered, unless Fargate has so much memory (MiB) with so many vCPUs."""
    sizes = FARGATE_MEMORY[vcpu]
    if memory not in sizes:
        steps = f"in steps of {sizes.step}" if isinstance(sizes, range) else f"one of {', '.join(map(str, sizes))}"
        raise ValueError(f"{sizes[0]} to {sizes[-1]} MiB with vcpu {vcpu} (Fargate), {steps}")


def at_least(vcpu: float, wanted: int) -> int:
    """Return the smallest memory in MiB of so many vCPUs that is at least `wanted`, or the largest there is."""
    return next((size for size in FARGATE_MEMORY[vcpu] if size >= wanted), FARGATE_MEMORY[vcpu][-1])
