"""A sweep of many objects holds a page of them, whatever their number, and is gone on with after an interruption."""

from simulation import sweep

LIMIT = 4  # MiB; all of them at once would be 9


def test_a_sweep_of_many_objects_takes_no_more_memory_than_one_of_a_few():
    few = sweep.sweep(5_000)
    many = sweep.sweep(20_000)

    assert (few.pages, many.pages) == (5, 20)
    assert many.recorded == 20_000
    assert many.mebibytes < LIMIT
