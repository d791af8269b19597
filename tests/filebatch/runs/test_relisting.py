"""The index of all files, in an environment that was there before it."""

from dataclasses import replace

import pytest

from aws import NOW
from filebatch.core import file_moves, listed, requests
from filebatch.core.conditions import Equal
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord
from filebatch.queries import timeline
from filebatch.runs.relisting import relist
from ledger_table import definition
from moves import ALL, FEED, FILE, IN_STATE, KEY, OWN, RUN_ID, after, arrival

OF_THE_INDEX = ("listed", "listed_at", "code")
NEW = (*OF_THE_INDEX, "history", "outputs")  # what no item had before
# What becomes of a file of each state next.
NEXT = {
    "ARRIVED": "claim 0 g1",
    "CLAIMED": "finish 0 g1",
    "SUCCEEDED": "redo 1 g2",
    "INVALID": "redo 1 g2",
    "FAILED": "claim asked 1 g1",
}


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


@pytest.fixture
def before(place):
    """A ledger as it was before the index, which its table lacks, with a file in each state that has nothing of NEW."""
    client, table = place.connect("dynamodb"), f"{place.name}-before"
    whole = definition(table)
    client.create_table(
        **{
            **whole,
            "AttributeDefinitions": [
                each for each in whole["AttributeDefinitions"] if each["AttributeName"] not in NEW
            ],
            "GlobalSecondaryIndexes": [
                each for each in whole["GlobalSecondaryIndexes"] if each["IndexName"] != listed.INDEX
            ],
        }
    )
    for state, made in IN_STATE.items():
        item = after(*made).get(KEY).to_item() | {"pk": row_of(state).pk, "key": f"orders/{state}.csv"}
        old = {name: value for name, value in item.items() if name not in NEW}
        client.put_item(TableName=table, Item=requests.encode(old))
    yield Ledger(client, table)
    client.delete_table(TableName=table)


def row_of(state):
    return FileRecord.at(replace(FILE, key=f"orders/{state}.csv"))


def add_the_index(ledger):
    """Do what Terraform does with a table that is in use."""
    whole = definition(ledger.table)
    (index,) = (each for each in whole["GlobalSecondaryIndexes"] if each["IndexName"] == listed.INDEX)
    ledger.client.update_table(
        TableName=ledger.table,
        AttributeDefinitions=whole["AttributeDefinitions"],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )


def test_an_environment_of_the_layout_before_is_upgraded_and_a_file_of_each_state_goes_on(before):
    add_the_index(before)
    assert relist(before) == len(IN_STATE)
    for state, name in NEXT.items():
        (item,) = (
            item
            for each in listed.partitions(FEED)
            for item in before.list_files(each, listed.span(state), limit=10).items
        )
        assert item["key"] == f"orders/{state}.csv"
        told = [event.what for event in timeline.of([before.get(row_of(state))])]
        assert "written to the ledger" in told
        became = before.move(replace(ALL[name], row=row_of(state)))
        assert [note["what"] for note in became.history] == [became.state]
        assert became.state != state
        before.remove(row_of(state))  # else it would be among those of the next state
