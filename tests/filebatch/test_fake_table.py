"""The table in memory that property tests use decides as the real server does."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fake_table import FakeTable
from filebatch.core import listed
from filebatch.core.records import FileRecord
from filebatch.core.rows import Row
from moves import ALL, arrival, run_record

RUN = ["claimed", "begin_round 1", "written 1", "fence 1 j1", "settle 1", "announcing", "announced 1"]
FILE = ["claim 0 g1", "fail for now 0", "claim 1 g1", "finish 1 g1", "redo 0 g2", "release 0", "claim 1 g2"]


@pytest.fixture(scope="module")
def place_of_examples(server):
    from aws import Place

    return Place(server)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.booleans(), st.lists(st.sampled_from(sorted(ALL)), max_size=12))
@example(True, RUN)
@example(True, FILE)
@example(True, ["ring", "ring", "ring again", "answered before", "answered", "ring again", "swept", "arrived"])
@example(False, ["claim 0 g1", "claimed", "heartbeat", "answered", "ring"])
def test_it_makes_and_refuses_the_moves_that_the_real_table_does(place_of_examples, there, names):
    real, fake = place_of_examples.ledger, FakeTable()
    for item in [arrival(), run_record()] if there else []:
        assert fake.add(item)
        assert real.add(item)
    for name in names:
        assert (name, fake.try_move(ALL[name])) == (name, real.try_move(ALL[name]))
    rows = {key: Row(FileRecord, *key) for key in fake.items}
    for key, row in rows.items():
        assert real.item(row) == fake.items[key]
        real.remove(row)


def test_its_index_has_the_attributes_that_the_real_one_has(place_of_examples):
    file, ledgers = arrival(), (place_of_examples.ledger, FakeTable())
    for ledger in ledgers:
        ledger.add(file)
    real, fake = (ledger.list_files(file.listed, listed.EVERYTHING, limit=9).items for ledger in ledgers)
    assert real == fake
    assert "etag" not in fake[0]
    place_of_examples.ledger.remove(file.row)
