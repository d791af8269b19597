"""Current results: of each key the newest version that succeeded, whatever else lies beside it."""

import pytest

from done import KEY, Bucket
from filebatch.core.records import FileState


@pytest.fixture
def bucket(place):
    return Bucket(place)


def test_a_file_that_was_done_twice_has_its_newest_generation(bucket):
    row = bucket.arrive()
    bucket.do(row)
    bucket.do(row)
    assert bucket.found() == [(KEY, row.sk, 2)]


def test_a_file_that_is_being_done_again_keeps_its_result(bucket):
    row = bucket.arrive()
    bucket.do(row)
    bucket.claim(row)
    assert bucket.found() == [(KEY, row.sk, 1)]


def test_a_replaced_version_is_not_current(bucket):
    bucket.do(bucket.arrive(day=1))
    newer = bucket.arrive(content=b"2", day=2)
    bucket.do(newer)
    assert bucket.found() == [(KEY, newer.sk, 1)]


def test_an_older_version_that_is_done_later_does_not_take_the_newer_ones_place(bucket):
    older, newer = bucket.arrive(day=1), bucket.arrive(content=b"2", day=2)
    bucket.do(newer)
    bucket.do(older)
    assert bucket.found() == [(KEY, newer.sk, 1)]


def test_a_newer_version_that_is_invalid_or_waits_leaves_the_older_one_current(bucket):
    good = bucket.arrive(day=1)
    bucket.do(good)
    bucket.do(bucket.arrive(content=b"2", day=2), FileState.INVALID)
    bucket.arrive(content=b"3", day=3)
    assert bucket.found() == [(KEY, good.sk, 1)]


def test_a_version_that_became_invalid_when_it_was_done_again_is_not_current(bucket):
    row = bucket.arrive()
    bucket.do(row)
    bucket.do(row, FileState.INVALID)
    assert bucket.found() == []


def test_keys_come_in_order(bucket):
    for key in ("orders/ab.csv", KEY):
        bucket.do(bucket.arrive(key))
    assert [key for key, *_ in bucket.found()] == [KEY, "orders/ab.csv"]
