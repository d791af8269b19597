"""What happened to a file: each move leaves a note in the file's own item, in the same write, bounded."""

import json
from dataclasses import replace

import pytest

from aws import DOCUMENTS, NOW
from filebatch.core import file_moves, history, listed
from filebatch.core.contract import Reason
from filebatch.core.file_moves import FileFailure
from filebatch.core.history import Note
from filebatch.core.records import FileRecord
from moves import ALL, FEED, FILE, IN_STATE, KEY, OWN, RUN_ID, after, arrival

AT = "2026-03-01T12:00:00.000Z"
HOLDS = 400_000  # bytes of an item
MADE = {
    **IN_STATE,
    "FAILED, to be tried again": ("claim 0 g1", "fail for now 0"),
    "to be done again": ("claim 0 g1", "finish 0 g1", "await redo g2"),
}


def notes_after(*made):
    return history.read(after(*made).items[KEY.pk, KEY.sk]["history"])


def test_a_new_file_says_how_it_was_noticed():
    assert history.read(arrival().history) == [Note(at=AT, what="ARRIVED")]
    found = file_moves.arrive(FILE, FEED, NOW, NOW, "sweep")
    assert history.read(found.history) == [Note(at=AT, what="ARRIVED", how="sweep")]


CLAIMED = Note(at=AT, what="CLAIMED", run=RUN_ID, generation=1)
DONE = Note(at=AT, what="SUCCEEDED", run=RUN_ID, generation=1, attempt=1, job="job")


@pytest.mark.parametrize(
    ("made", "last"),
    [
        (["claim 0 g1"], CLAIMED),
        (["claim 0 g1", "finish 0 g1"], DONE),
        (["claim 0 g1", "finish invalid 0 g1"], replace(DONE, what="INVALID", code="bug")),
        (["claim 0 g1", "fail 0"], Note(at=AT, what="FAILED", code="bug")),
        (["claim 0 g1", "trouble 0"], Note(at=AT, what="trouble", code="bug")),
        (["claim 0 g1", "release 0"], Note(at=AT, what="ARRIVED", generation=1)),
        (["claim 0 g1", "finish 0 g1", "redo 1 g2"], replace(CLAIMED, generation=2)),
        (["claim 0 g1", "finish 0 g1", "await redo g2"], Note(at=AT, what="redo", generation=2)),
        (["claim 0 g1", "fail 0", "claim asked 1 g1"], CLAIMED),
    ],
    ids=lambda value: str(value) if isinstance(value, list) else "",
)
def test_each_move_leaves_a_note(made, last):
    notes = notes_after(*made)
    assert len(notes) == len(made) + 1
    assert notes[-1] == last


def test_no_move_of_a_file_is_without_a_note_but_what_only_lists_it():
    silent = {name for name, move in ALL.items() if move.row == KEY and move.note is None}
    assert silent == set()


def test_a_mover_adds_what_it_knows_and_nothing_that_a_note_has_not():
    move = ALL["fail 0"].noted(job="j", round=2, who="", why=None)
    assert move.note == {"at": AT, "what": "FAILED", "code": "bug", "job": "j", "round": 2}
    with pytest.raises(TypeError, match="a note has no colour"):
        move.noted(colour="red")


def test_a_move_whose_answer_was_lost_leaves_one_note():
    table = after("claim 0 g1")
    assert table.try_move(ALL["claim 0 g1"]).done
    assert len(table.items[KEY.pk, KEY.sk]["history"]) == 2


def test_a_history_is_bounded_in_number_and_keeps_how_it_began_and_how_it_goes_on(place):
    place.ledger.add(file_moves.arrive(FILE, FEED, NOW, NOW, "event"))
    longest = "🗲" * history.MAX_TEXT * 2
    for number in range(history.MOST):
        claim = file_moves.claim(KEY, OWN, f"run {number}", 1, NOW).noted(who=longest, why=longest, job=longest)
        held = place.ledger.move(claim)
        place.ledger.move(file_moves.release(held, NOW))
        item = place.ledger.item(KEY)
        assert len(item["history"]) <= history.MOST
    notes = history.read(item["history"])
    assert (notes[0].how, notes[1].run, notes[-1].what) == ("event", "run 0", "ARRIVED")
    assert notes[-2].run == f"run {history.MOST - 1}"
    assert len(notes) < history.MOST


def test_the_longest_history_leaves_an_item_room_for_all_else():
    longest = history.note(**dict.fromkeys(("at", "what", "how", "run", "job", "code", "who", "why"), "🗲" * 5000))
    assert all(len(value.encode()) <= history.MAX_TEXT for value in longest.values())
    assert (history.MOST + 1) * len(json.dumps(longest, ensure_ascii=False).encode()) < HOLDS / 6


def test_two_who_shorten_it_at_once_lose_nothing_that_came_between(place):
    place.ledger.add(replace(arrival(), history=[history.note(at=AT, what=str(n)) for n in range(history.MOST + 1)]))
    read = place.ledger.get(KEY)
    place.ledger.try_move(ALL["claim 0 g1"])
    assert not place.ledger.try_move(file_moves.shorten(read)).done
    assert history.read(place.ledger.get(KEY).history)[-1] == CLAIMED


def test_what_is_no_note_is_left_out_and_a_note_that_was_written_twice_is_one():
    written = [{"at": AT, "what": "ARRIVED"}] * 2 + ["x", None, {"at": 3, "what": "y"}, {"what": "z"}]
    assert history.read([*written, {"at": AT, "what": "FAILED", "round": "2", "more": 1}]) == [
        Note(at=AT, what="ARRIVED"),
        Note(at=AT, what="FAILED"),
    ]
    assert history.read(None) == []


def test_the_index_of_all_files_has_no_history():
    document = json.loads((DOCUMENTS / "ledger.json").read_text())
    (index,) = [each for each in document["GlobalSecondaryIndexes"] if each["IndexName"] == listed.INDEX]
    assert "history" not in index["Projection"]["NonKeyAttributes"]


# An environment of the previous layout: its items have no history, whatever their state.


@pytest.mark.parametrize("state", MADE)
def test_a_file_without_a_history_moves_on_as_any_other_and_has_one_from_then_on(place, state):
    whole = after(*MADE[state])
    old = {name: value for name, value in whole.items[KEY.pk, KEY.sk].items() if name != "history"}
    allowed = [name for name, move in ALL.items() if move.row == KEY and whole.allows(move)]
    assert allowed
    for name in allowed:
        place.ledger.remove(KEY)
        assert place.ledger.add(FileRecord.from_item(old))
        moved = place.ledger.try_move(ALL[name])
        assert moved.done, name
        expected = after(*MADE[state], name).items[KEY.pk, KEY.sk]
        assert moved.record.to_item() == {**expected, "history": [dict(ALL[name].note)]}


def test_an_older_version_keeps_the_history_that_it_does_not_know():
    item = {**arrival().to_item(), "of_a_later_version": [1]}
    assert FileRecord.from_item(item).to_item() == item


def test_who_failed_a_file_and_where_is_in_the_note():
    move = file_moves.fail(KEY, OWN, FEED, FileFailure(Reason("bug", "x")), retry=None, now=NOW)
    assert move.noted(job="j:1", round=1, attempt=2).note == {
        "at": AT,
        "what": "FAILED",
        "code": "bug",
        "job": "j:1",
        "round": 1,
        "attempt": 2,
    }
