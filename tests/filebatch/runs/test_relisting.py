"""The index of all files, in an environment that was there before it."""

from dataclasses import replace

from aws import NOW
from filebatch.core import file_moves, listed, requests
from filebatch.core.conditions import Equal
from filebatch.core.records import FileRecord
from filebatch.runs.relisting import relist
from moves import ALL, FEED, FILE, IN_STATE, KEY, OWN, RUN_ID, arrival

OF_THE_INDEX = ("listed", "listed_at", "code")


def in_every_state(place):
    """Put a file in each state into a ledger; return their rows."""
    rows = {}
    for state, made in IN_STATE.items():
        file = replace(FILE, key=f"orders/{state}.csv")
        rows[state] = FileRecord.at(file)
        place.ledger.add(file_moves.arrive(file, FEED, NOW, NOW))
        for name in made:
            place.ledger.move(replace(ALL[name], row=rows[state]))
    return rows


def forget(place, row):
    """Make of an item what a version without the index would have written."""
    place.connect("dynamodb").update_item(
        TableName=place.table,
        Key=requests.encode(row.key),
        UpdateExpression="REMOVE " + ", ".join(OF_THE_INDEX),
    )


def found(place, state):
    """Return the keys that the index has in a state."""
    pages = [place.ledger.list_files(each, listed.span(state), limit=10) for each in listed.partitions(FEED)]
    return [item["key"] for page in pages for item in page.items]


def test_files_in_every_state_are_listed_once_the_index_is_there(place):
    rows = in_every_state(place)
    for row in rows.values():
        forget(place, row)
    assert relist(place.ledger) == len(rows)
    for state in rows:
        assert found(place, state) == [f"orders/{state}.csv"]
    assert relist(place.ledger) == 0


def test_a_file_that_an_older_worker_has_settled_is_listed_in_its_state(place):
    place.ledger.add(arrival())
    place.ledger.move(file_moves.claim(KEY, OWN, RUN_ID, 1, NOW))
    older = ALL["fail 0"]
    become = {name: value for name, value in older.become.items() if name not in OF_THE_INDEX}
    place.ledger.move(replace(older, become=become))
    assert found(place, "FAILED") == []
    assert relist(place.ledger) == 1
    assert found(place, "FAILED") == [FILE.key]
    pages = [
        place.ledger.list_files(each, listed.EVERYTHING, [Equal("code", "bug")], limit=9)
        for each in listed.partitions(FEED)
    ]
    assert sum(len(page.items) for page in pages) == 1
