"""What an object is to a feed: work, or why it isn't."""

import pytest

from aws import feed_of
from filebatch.core.contract import FileVersion
from filebatch.feeds import standing
from filebatch.feeds.standing import Standing

FEED = feed_of(start="2026-01-01", pattern=r"((?P<date>\d{8})/)?.*")


def file(key: str, size: int = 5) -> FileVersion:
    return FileVersion("new-files", key, "v1", "e1", size, "2026-05-06T07:08:09Z")


@pytest.mark.parametrize(
    ("key", "size", "expected", "why"),
    [
        ("orders/a.csv", 5, Standing.WORK, ""),
        ("orders/a.csv", 0, Standing.WORK, ""),
        ("orders/20251231/a.csv", 5, Standing.HISTORY, "history, as it is of before the feed's start, 2026-01-01"),
        ("orders/20261331/a.csv", 5, Standing.UNMATCHED, "isn't of the form"),
        ("returns/a.csv", 5, Standing.UNMATCHED, "its key doesn't match"),
        ("orders/", 0, Standing.IGNORED, "a marker"),
        ("orders/2026/", 0, Standing.IGNORED, "a marker"),
        ("orders/odd/", 5, Standing.WORK, ""),
        ("orders/2026_$folder$", 0, Standing.IGNORED, "a marker"),
        ("orders/2026_$folder$", 5, Standing.WORK, ""),
        ("orders/_SUCCESS", 0, Standing.IGNORED, "a marker"),
        ("orders/20260102/_SUCCESS", 900, Standing.IGNORED, "a marker"),
        ("orders/x_SUCCESS", 0, Standing.WORK, ""),
        ("orders/_SUCCESS.csv", 5, Standing.WORK, ""),
    ],
)
def test_an_object_is_work_history_unmatched_or_ignored(key, size, expected, why):
    assert standing.of(FEED, file(key, size)) is expected
    assert why in standing.why(FEED, file(key, size))
    assert bool(standing.why(FEED, file(key, size))) is (expected is not Standing.WORK)
