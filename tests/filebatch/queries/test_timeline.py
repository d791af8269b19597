"""What happened to a key, in sentences; also where a version that left no notes has moved it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aws import NOW
from filebatch.core import file_moves, run_moves
from filebatch.core.history import note
from filebatch.core.run_moves import Asked
from filebatch.queries import timeline
from moves import FEED, FILE, KEY, OWN, RUN_ID, after

AT = "2026-03-01T12:00:00.000Z"


def told(*notes, **known):
    """Return the sentences about a file with these notes, the last thing first."""
    record = replace(file_moves.arrive(FILE, FEED, NOW, NOW), history=[*notes], **known)
    return [event.what for event in timeline.of([record])]


def test_that_people_were_told_is_the_last_thing():
    record = replace(file_moves.arrive(FILE, FEED, NOW, NOW), history=[note(what="SUCCEEDED", at=AT)])
    run = run_moves.begin(FEED, OWN, Asked(RUN_ID, 1, 0, "all"), timeout=timedelta(minutes=15), now=NOW)
    assert timeline.of([record], run) == timeline.of([record])
    told_last = timeline.of([record], replace(run, notified_at="2026-03-01T13:00:00.000Z"))[0]
    assert (told_last.at, told_last.run_id) == ("2026-03-01T13:00:00.000Z", RUN_ID)
    assert told_last.what.startswith("announced: those whom the feed notifies were told")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"what": "ARRIVED", "how": "event"}, "written to the ledger: its event came"),
        ({"what": "ARRIVED", "how": "sweep"}, "written to the ledger: a sweep found it"),
        ({"what": "ARRIVED", "how": "asked"}, "written to the ledger: somebody asked for it"),
        ({"what": "ARRIVED"}, "written to the ledger"),
        ({"what": "ARRIVED", "run": "r"}, "given back: it waits again"),
        ({"what": "CLAIMED", "run": "r", "generation": 2, "round": 1}, "claimed (generation 2, round 1)"),
        (
            {"what": "CLAIMED", "who": "anna", "why": "the station was wrong"},
            "claimed; asked for by anna: the station was wrong",
        ),
        ({"what": "CLAIMED", "why": "a fix"}, "claimed; asked for: a fix"),
        ({"what": "FAILED", "code": "bug", "attempt": 3, "job": "j:7"}, "FAILED: bug (attempt 3, job j:7)"),
        ({"what": "SUCCEEDED"}, "SUCCEEDED"),
        ({"what": "trouble", "code": "transient"}, "met with transient"),
        ({"what": "redo", "generation": 2}, "waits to be done again (generation 2)"),
        ({"what": "retry"}, "waits to be tried again"),
        ({"what": "moved", "how": "weather"}, "is feed weather's from now on"),
    ],
    ids=str,
)
def test_each_note_is_a_sentence(given, sentence):
    assert told(note(at=AT, **given))[0] == sentence


def test_what_strangers_wrote_cannot_act_on_a_terminal():
    assert "\x1b" not in told(note(at=AT, what="CLAIMED", why="\x1b[2J"))[0]


def test_the_last_thing_is_first_and_runs_are_named():
    record = after("claim 0 g1", "finish 0 g1").get(KEY)
    found = timeline.of([record])
    assert [event.what.split(" ", 1)[0] for event in found] == ["SUCCEEDED", "claimed", "written", "S3"]
    assert [event.run_id for event in found[:2]] == [record.run_id] * 2


@pytest.mark.parametrize("made", [(), ("claim 0 g1",), ("claim 0 g1", "fail 0"), ("claim 0 g1", "finish 0 g1")])
def test_an_item_without_notes_tells_what_its_attributes_say(made):
    record = replace(after(*made).get(KEY), history=None)
    found = [event.what for event in timeline.of([record])]
    assert found[-2:] == ["written to the ledger", "S3 has 8 bytes, version v1"]
    assert len(found) == 2 + len(made)


def test_an_item_whose_notes_began_late_still_says_when_it_came():
    later = note(at="2026-03-02T12:00:00.000Z", what="CLAIMED")
    assert told(later)[1] == "written to the ledger"
