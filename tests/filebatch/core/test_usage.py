"""vCPU·s and GiB·s as values."""

import pytest

from filebatch.core import usage
from filebatch.core.usage import Billed, Usage


@pytest.mark.parametrize(
    ("seconds", "vcpu", "memory", "used"),
    [(60, 0.5, 1024, Usage(30, 60)), (1, 16, 122_880, Usage(16, 120)), (0, 1, 2048, Usage(0, 0))],
)
def test_a_container_takes_what_it_has_for_as_long_as_it_is_there(seconds, vcpu, memory, used):
    assert usage.of_container(seconds, vcpu, memory) == used


def test_usage_is_added_multiplied_and_written_to_thousandths():
    assert Usage(1, 2) + Usage(3, 4) == Usage(4, 6)
    assert Usage(1, 2).times(1.5) == Usage(1.5, 3)
    assert Usage(1 / 3, 2).to_json() == {"vcpu_seconds": 0.333, "gib_seconds": 2}


def test_what_was_billed_is_added_part_by_part_and_one_estimate_makes_the_whole_one():
    one = Billed(1, on_demand=Usage(1, 2))
    other = Billed(2, spot=Usage(3, 4), estimated=True)
    assert one + other == Billed(3, Usage(1, 2), Usage(3, 4), estimated=True)
    assert (one + other).usage == Usage(4, 6)
    assert not (one + one).estimated
