"""Work side by side."""

import pytest

from filebatch.core.parallel import side_by_side


def test_it_keeps_its_order_and_raises_the_first_error():
    assert side_by_side(lambda number: number * 2, range(50)) == [number * 2 for number in range(50)]
    assert side_by_side(str, []) == []
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda number: 1 // number, [1, 0, 2])
