"""Moves of a file: what each demands and what it leaves."""

import pytest

from filebatch.core import file_moves, listed
from filebatch.core.records import FileRecord, FileState
from moves import ALL, FILE, KEY, NOW, OTHER, OWN, RUN_ID, after, arrival

ARRIVED, CLAIMED, SUCCEEDED, INVALID, FAILED = FileState


def item_of(*made):
    """Return the file's item after these moves."""
    return after(*made).items[KEY.pk, KEY.sk]


def test_a_new_file_waits():
    file = arrival()
    assert (file.state, file.generation, file.attempts) == (ARRIVED, 1, 0)
    assert (file.open, file.due_at) == (FileRecord.waiting("orders").name, "2026-03-01T12:00:00.000Z")
    assert file.file == FILE


def test_a_file_that_arrives_again_stays_as_it_is():
    table = after("claim 0 g1", "finish 0 g1")
    before = table.get(KEY)
    assert not table.add(arrival())
    assert table.get(KEY) == before


# A file's moves: after these, which moves are made; every other one is refused.
MADE = {
    (): {"claim 0 g1", "claim 1 g1", "claim asked 0 g1", "claim asked 1 g1", "forget"},
    ("forget",): set(),
    ("claim 0 g1",): {
        "finish 0 g1",
        "finish invalid 0 g1",
        "adopt 0 g1",
        "release 0",
        "release suspect 0",
        "trouble 0",
        "fail 0",
        "fail for now 0",
    },
    ("claim 0 g1", "finish 0 g1"): {"await redo g2", "redo 0 g2", "redo 1 g2"},
    ("claim 0 g1", "finish invalid 0 g1"): {"await redo g2", "redo 0 g2", "redo 1 g2"},
    ("claim 0 g1", "fail 0"): {
        "await redo g2",
        "await retry g1",
        "claim asked 0 g1",
        "claim asked 1 g1",
        "redo 0 g2",
        "redo 1 g2",
    },
    ("claim 0 g1", "fail 0", "await retry g1"): {
        "await redo g2",
        "await retry g1",
        "claim 0 g1",
        "claim 1 g1",
        "claim asked 0 g1",
        "claim asked 1 g1",
        "redo 0 g2",
        "redo 1 g2",
    },
    ("claim 0 g1", "finish 0 g1", "await redo g2"): {
        "claim 0 g2",
        "claim 1 g2",
        "claim asked 0 g2",
        "claim asked 1 g2",
    },
    ("claim 0 g1", "fail for now 0"): {
        "await redo g2",
        "await retry g1",
        "claim 0 g1",
        "claim 1 g1",
        "claim asked 0 g1",
        "claim asked 1 g1",
        "redo 0 g2",
        "redo 1 g2",
    },
    ("claim 0 g1", "release suspect 0"): {
        "claim 0 g1",
        "claim 1 g1",
        "claim asked 0 g1",
        "claim asked 1 g1",
        "forget",
    },
    ("claim 0 g1", "release 0"): {"claim 0 g1", "claim 1 g1", "claim asked 0 g1", "claim asked 1 g1", "forget"},
    ("claim 0 g1", "finish 0 g1", "redo 1 g2"): {
        "finish 1 g2",
        "finish invalid 1 g2",
        "adopt 1 g2",
        "release 1",
        "release suspect 1",
        "trouble 1",
        "fail 1",
        "fail for now 1",
    },
}
FILE_MOVES = {name for name, move in ALL.items() if move.row == KEY}


@pytest.mark.parametrize("made", MADE, ids=lambda names: ", ".join(names) or "arrived")
def test_only_these_moves_can_follow(made):
    table = after(*made)
    allowed = {name for name in FILE_MOVES if table.allows(ALL[name])}
    assert {name for name in allowed if not name.startswith("finish no rows")} == MADE[made]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (["claim 0 g1"], {"state": CLAIMED, "claim": OWN, "run_id": RUN_ID, "attempts": 1}),
        (["claim 0 g1", "finish 0 g1"], {"state": SUCCEEDED, "result": "s3://r/_result.json", "rows": 3}),
        (
            ["claim 0 g1", "finish invalid 0 g1"],
            {"state": INVALID, "reason": {"code": "bug", "message": "ValueError: x"}},
        ),
        (["claim 0 g1", "fail 0"], {"state": FAILED, "reason": {"code": "bug", "message": "ValueError: x"}}),
        (
            ["claim 0 g1", "fail for now 0"],
            {
                "state": FAILED,
                "open": "file#orders",
                "due_at": "2026-03-01T12:05:00.000Z",
                "memory": 2048,
                "suspect": True,
            },
        ),
        (
            ["claim 0 g1", "fail 0", "claim asked 1 g1"],
            {"state": CLAIMED, "claim": OTHER, "attempts": 2, "generation": 1},
        ),
        (["claim 0 g1", "finish 0 g1", "redo 1 g2"], {"state": CLAIMED, "generation": 2, "attempts": 1}),
        (["claim 0 g1", "release 0"], {"state": ARRIVED, "attempts": 0, "open": "file#orders"}),
        (["claim 0 g1", "trouble 0"], {"state": CLAIMED, "trouble": {"code": "bug", "message": "ValueError: x"}}),
    ],
)
def test_what_a_move_leaves(made, expected):
    assert item_of(*made).items() >= expected.items()


@pytest.mark.parametrize(
    ("made", "gone"),
    [
        (["claim 0 g1"], {"open", "due_at", "reason", "settled_at"}),
        (["claim 0 g1", "fail 0"], {"open", "due_at"}),
        (["claim 0 g1", "fail for now 0", "claim 1 g1"], {"open", "due_at", "reason", "settled_at"}),
        (["claim 0 g1", "fail for now 0", "claim asked 1 g1"], {"open", "due_at", "reason", "settled_at"}),
        (["claim 0 g1", "fail for now 0", "redo 1 g2"], {"open", "due_at", "reason", "settled_at"}),
        (["claim 0 g1", "release 0"], {"claim", "run_id", "claimed_at"}),
        (["claim 0 g1", "finish invalid 0 g1", "await redo g2"], {"reason", "code"}),
        (["claim 0 g1", "trouble 0", "finish 0 g1"], {"trouble"}),
        (["claim 0 g1", "fail for now 0", "claim 1 g1", "finish 1 g1"], {"suspect"}),
        (["claim 0 g1", "finish 0 g1", "redo 1 g2", "finish no rows 1 g2"], {"rows"}),
        (["claim 0 g1", "trouble 0", "release 0"], {"trouble"}),
        (["claim 0 g1", "trouble 0", "fail for now 0"], {"trouble"}),
    ],
)
def test_what_a_move_clears_away(made, gone):
    assert not gone & item_of(*made).keys()


@pytest.mark.parametrize("made", MADE, ids=lambda names: ", ".join(names) or "arrived")
def test_a_file_that_was_moved_by_a_version_without_the_index_gets_its_place(made):
    table = after(*made)
    whole = dict(table.items[KEY.pk, KEY.sk])
    table.items[KEY.pk, KEY.sk] = {name: value for name, value in whole.items() if not name.startswith("listed")}
    table.items[KEY.pk, KEY.sk].pop("code", None)
    assert table.try_move(file_moves.relist(table.get(KEY))).done
    assert table.items[KEY.pk, KEY.sk] == whole


def test_a_file_that_has_moved_meanwhile_keeps_its_place():
    table = after()
    move = file_moves.relist(table.get(KEY))
    table.move(ALL["claim 0 g1"])
    assert not table.try_move(move).done


def test_a_file_that_another_feed_has_meanwhile_is_not_listed_as_the_formers():
    table = after()
    seen = table.get(KEY)
    table.move(file_moves.rehome(seen, "sales", NOW))

    assert not table.try_move(file_moves.relist(seen)).done
    assert table.get(KEY).listed == listed.partition("sales", KEY)
