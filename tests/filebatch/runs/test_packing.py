from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from filebatch.runs.packing import MAX_UNITS, first, pack

SIZES = st.lists(st.integers(0, 1000), max_size=60)
MAX_BYTES = st.integers(1, 1500)
MAX_COUNT = st.integers(1, 12)


def packed(sizes, max_bytes, max_count):
    return pack(enumerate(sizes), size=lambda item: item[1], max_bytes=max_bytes, max_count=max_count)


@given(SIZES, MAX_BYTES, MAX_COUNT)
def test_each_file_is_in_one_unit_in_the_given_order(sizes, max_bytes, max_count):
    units = packed(sizes, max_bytes, max_count)
    assert [item for unit in units for item in unit] == list(enumerate(sizes))


@given(SIZES, MAX_BYTES, MAX_COUNT)
def test_no_unit_is_empty_and_none_is_over_a_bound(sizes, max_bytes, max_count):
    for unit in packed(sizes, max_bytes, max_count):
        assert 1 <= len(unit) <= max_count
        assert sum(size for _, size in unit) <= max_bytes or len(unit) == 1


@given(SIZES, MAX_BYTES, MAX_COUNT)
def test_a_file_over_the_bound_is_alone(sizes, max_bytes, max_count):
    for unit in packed(sizes, max_bytes, max_count):
        if any(size > max_bytes for _, size in unit):
            assert len(unit) == 1


@given(SIZES, MAX_BYTES, MAX_COUNT)
def test_a_unit_is_closed_only_when_the_next_file_does_not_fit(sizes, max_bytes, max_count):
    units = packed(sizes, max_bytes, max_count)
    for unit, following in pairwise(units):
        filled = sum(size for _, size in unit)
        assert len(unit) == max_count or filled + following[0][1] > max_bytes


@given(SIZES, MAX_BYTES, MAX_COUNT)
def test_the_same_files_make_the_same_units(sizes, max_bytes, max_count):
    assert packed(sizes, max_bytes, max_count) == packed(iter(sizes), max_bytes, max_count)


@given(SIZES, MAX_BYTES, MAX_COUNT, st.integers(1, 4))
def test_what_must_be_alone_shares_its_unit_with_none_and_the_order_is_kept(sizes, max_bytes, max_count, every):
    def alone(item):
        return item[0] % every == 0

    units = pack(enumerate(sizes), size=lambda item: item[1], max_bytes=max_bytes, max_count=max_count, alone=alone)
    assert all(len(unit) == 1 for unit in units if any(alone(item) for item in unit))
    assert [item for unit in units for item in unit] == list(enumerate(sizes))


@given(SIZES, MAX_BYTES, MAX_COUNT)
def test_the_first_files_up_to_a_bound_are_as_many_as_fit(sizes, max_bytes, max_count):
    taken = first(sizes, size=lambda size: size, max_bytes=max_bytes, max_count=max_count)
    assert taken <= min(len(sizes), max_count)
    assert taken >= min(len(sizes), 1)
    assert sum(sizes[:taken]) <= max_bytes or taken == 1
    assert taken in (len(sizes), max_count) or sum(sizes[: taken + 1]) > max_bytes


def test_nothing_makes_no_units():
    assert pack([], size=len, max_bytes=1, max_count=1) == []


def test_a_full_claim_of_single_files_fits_one_array_job():
    assert len(packed([1] * 10_000, 1, 1)) == MAX_UNITS
