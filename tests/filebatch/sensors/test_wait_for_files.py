"""Waiting for files: how often the bucket is looked at meanwhile."""

from datetime import timedelta

import pytest

from filebatch.sensors.wait_for_files import HELD_FILES_TIMEOUT, pause

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("waited", "expected"),
    [(timedelta(), 15), (MINUTE, 15), (4 * MINUTE, 60), (20 * MINUTE, 300), (300 * MINUTE, 300)],
)
def test_the_longer_a_run_has_waited_the_longer_it_pauses(waited, expected):
    assert pause(HELD_FILES_TIMEOUT, HELD_FILES_TIMEOUT - waited) == timedelta(seconds=expected)


def test_six_hours_are_less_than_a_hundred_looks():
    left, looks = HELD_FILES_TIMEOUT, 0
    while left > timedelta():
        left -= pause(HELD_FILES_TIMEOUT, left)
        looks += 1
    assert looks < 100
