"""A move as a value: it names what its record has, and tells whether it was made already."""

import pytest

from filebatch.core.feed_records import Bell
from filebatch.core.moves import Move
from moves import ALL, KEY, after

BELL = Bell.at("orders")


@pytest.mark.parametrize("named", [{"become": {"rang": "x"}}, {"drop": ("rang",)}, {"add": {"rang": 1}}])
def test_an_attribute_that_its_record_does_not_have_is_refused(named):
    with pytest.raises(TypeError, match="Bell has no attribute rang"):
        Move(BELL, (), **named)


@pytest.mark.parametrize(
    ("move", "item", "made"),
    [
        (Move(BELL, (), become={"rings": 2}), {"rings": 2, "rung_at": "x"}, True),
        (Move(BELL, (), become={"rings": 2}), {"rings": 3}, False),
        (Move(BELL, (), become={"rings": 2}), {}, False),
        (Move(BELL, (), become={"rings": 2}, drop=("rung_at",)), {"rings": 2, "rung_at": "x"}, False),
        (Move(BELL, (), become={"rings": 2}, drop=("rung_at",)), {"rings": 2}, True),
        (Move(BELL, (), drop=("rung_at",)), {}, False),
    ],
)
def test_a_move_whose_answer_was_lost_is_known_by_what_the_item_has_become(move, item, made):
    assert move.is_made(item) is made


@pytest.mark.parametrize(
    "made",
    [
        ("claim 0 g1",),
        ("claim 0 g1", "finish 0 g1"),
        ("claim 0 g1", "fail for now 0"),
        ("claim 0 g1", "release 0"),
        ("claim 0 g1", "finish 0 g1", "redo 1 g2"),
        ("claimed", "begin_round 1"),
        ("claimed", "settle 0", "announced 0"),
        ("ring",),
    ],
)
def test_the_same_request_sent_again_is_told_as_made_and_changes_nothing(made):
    table = after(*made)
    before = {key: dict(item) for key, item in table.items.items()}
    assert table.try_move(ALL[made[-1]]).done
    assert table.items == before


def test_another_claim_of_the_same_file_is_refused():
    answer = after("claim 0 g1").try_move(ALL["claim 1 g1"])
    assert not answer.done
    assert answer.record.row == KEY
