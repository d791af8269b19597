"""The ledger against a real table over HTTP: of any two movers one wins, and the other is told."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from aws import NOW, recorded
from filebatch.core import ledger, states
from filebatch.core.ledger import Ledger
from moves import FEED, FILE, KEY, REASON, RUN_ID, TOKENS, arrival, run_record
from values import FILES

OWN, OTHER = TOKENS


def files(count):
    return [replace(FILE, key=f"orders/{number:03d}.csv") for number in range(count)]


def waiting(place, count, due=NOW):
    """Add files that wait; return their keys."""
    added = files(count)
    assert all(place.ledger.add(states.arrive(file, FEED, NOW, due)) for file in added)
    return [states.file_key(file) for file in added]


def test_an_item_is_added_once_and_stays_as_it_was(place):
    assert place.ledger.add(arrival())
    assert not place.ledger.add({**arrival(), "size": 99})
    assert place.ledger.get(KEY) == arrival()


def test_a_move_answers_with_the_item_as_it_is_now(place):
    place.ledger.add(arrival())
    moved = place.ledger.move(states.claim(KEY, OWN, RUN_ID, 1, NOW))
    assert moved.done
    assert moved.item == place.ledger.get(KEY)
    assert moved.item["claim"] == OWN


def test_a_refused_move_changes_nothing_and_tells_what_stood_against_it(place):
    place.ledger.add(arrival())
    place.ledger.move(states.claim(KEY, OWN, RUN_ID, 1, NOW))
    before = place.ledger.get(KEY)
    moved = place.ledger.move(states.claim(KEY, OTHER, RUN_ID, 1, NOW))
    assert (moved.done, moved.item) == (False, before)
    assert place.ledger.get(KEY) == before


def test_a_move_of_what_is_not_there_is_refused(place):
    moved = place.ledger.move(states.claim(KEY, OWN, RUN_ID, 1, NOW))
    assert (moved.done, moved.item) == (False, None)


def test_of_many_who_claim_a_file_at_once_one_gets_it(place):
    place.ledger.add(arrival())
    tokens = [f"{number:016x}-0001" for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        moved = list(pool.map(lambda token: place.ledger.move(states.claim(KEY, token, RUN_ID, 1, NOW)), tokens))
    winners = [token for token, answer in zip(tokens, moved, strict=True) if answer.done]
    assert len(winners) == 1
    assert place.ledger.get(KEY)["claim"] == winners[0]
    assert all(answer.item["claim"] == winners[0] for answer in moved)


def test_of_many_who_add_a_file_at_once_one_does(place):
    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(place.ledger.add, [arrival()] * 12)) == 1


def test_many_moves_are_answered_in_their_order(place):
    keys = waiting(place, 30)
    place.ledger.move(states.claim(keys[7], OTHER, RUN_ID, 1, NOW))
    moved = place.ledger.move_all(states.claim(key, OWN, RUN_ID, 1, NOW) for key in keys)
    assert [answer.item["pk"] for answer in moved] == [key[0] for key in keys]
    assert [number for number, answer in enumerate(moved) if not answer.done] == [7]


def test_many_items_are_read_a_hundred_a_call(place):
    keys = waiting(place, 101)
    with recorded(place.connect("dynamodb"), "dynamodb.BatchGetItem") as calls:
        found = place.ledger.get_many([*keys, states.file_key(replace(FILE, key="orders/none"))])
    assert set(found) == set(keys)
    assert sorted(len(call["RequestItems"][place.table]["Keys"]) for call in calls) == [2, 100]


def test_a_key_that_is_asked_for_twice_is_read_once(place):
    (key,) = waiting(place, 1)
    assert list(place.ledger.get_many([key, key])) == [key]


def test_nothing_is_read_of_no_keys(place):
    assert place.ledger.get_many([]) == {}


def test_unprocessed_keys_are_asked_for_again():
    class Throttled:
        """Answers one key a call, as a table under load may."""

        def batch_get_item(self, RequestItems):  # noqa: N803 - boto3's
            first, *rest = RequestItems["table"]["Keys"]
            left = {"table": {"Keys": rest}} if rest else {}
            return {"Responses": {"table": [first]}, "UnprocessedKeys": left}

    keys = [("a", "1"), ("b", "1"), ("c", "1")]
    assert set(Ledger(Throttled(), "table").get_many(keys)) == set(keys)


def test_the_index_has_what_waits_the_longest_due_first(place):
    for number, file in enumerate(files(3)):
        due = NOW - timedelta(minutes=number)
        place.ledger.add(states.arrive(file, FEED, NOW, due))
    found = place.ledger.open(states.open_files(FEED), due=NOW)
    assert [item["key"] for item in found] == ["orders/002.csv", "orders/001.csv", "orders/000.csv"]
    assert [item["key"] for item in place.ledger.open(states.open_files(FEED), due=NOW, limit=1)] == ["orders/002.csv"]


def test_the_index_leaves_out_what_is_not_due_yet_or_another_feeds(place):
    (key,) = waiting(place, 1)
    place.ledger.add(states.arrive(replace(FILE, key="other/x.csv"), "other", NOW, NOW))
    place.ledger.move(states.claim(key, OWN, RUN_ID, 1, NOW))
    later = NOW + timedelta(minutes=1)
    place.ledger.move(states.fail(key, OWN, FEED, REASON, retry=later, now=NOW))
    partition = states.open_files(FEED)
    assert (place.ledger.open(partition, due=NOW), place.ledger.count_open(partition, NOW)) == ([], 0)
    assert [item["key"] for item in place.ledger.open(partition, due=later)] == ["orders/000.csv"]
    assert place.ledger.count_open(partition, later) == 1
    assert len(place.ledger.open(partition)) == 1


def test_a_claimed_or_settled_file_is_not_in_the_index(place):
    (key,) = waiting(place, 1)
    place.ledger.move(states.claim(key, OWN, RUN_ID, 1, NOW))
    assert place.ledger.open(states.open_files(FEED)) == []
    place.ledger.move(states.fail(key, OWN, FEED, REASON, retry=None, now=NOW))
    assert place.ledger.open(states.open_files(FEED)) == []


def test_the_latest_claim_of_a_run_is_found_among_its_own(place):
    run = OWN[:16]
    assert place.ledger.latest_run(FEED, run) is None
    for token in (f"{run}-0001", f"{run}-0010", f"{run}-0002", OTHER):
        facts = {"run_id": RUN_ID, "epoch": 1, "cleared": 0, "why": ""}
        place.ledger.add(states.open_run(FEED, token, facts, heartbeat=timedelta(minutes=15), now=NOW))
    assert place.ledger.latest_run(FEED, run)["sk"] == f"{run}-0010"
    assert place.ledger.latest_run("another", run) is None


def test_a_scan_reads_every_item_and_remove_takes_one_away(place):
    keys = waiting(place, 3)
    place.ledger.add(run_record())
    place.ledger.remove(keys[0])
    place.ledger.remove(keys[0])
    assert {(item["pk"], item["sk"]) for item in place.ledger.scan()} == {*keys[1:], states.run_key(FEED, OWN)}


def test_a_table_that_is_not_there_is_an_error_and_no_refusal(place):
    nowhere = Ledger(place.connect("dynamodb"), "nowhere")
    for act in (lambda: nowhere.add(arrival()), lambda: nowhere.move(states.arrived(FEED, NOW))):
        with pytest.raises(ClientError, match="ResourceNotFound"):
            act()


@given(FILES)
def test_any_file_survives_the_way_into_an_item_and_back(file):
    item = ledger.decode(ledger.encode(states.arrive(file, FEED, NOW, NOW)))
    assert item == states.arrive(file, FEED, NOW, NOW)
    assert ledger.file_of(item) == file


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**37), 10**37) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), PLAIN))
def test_values_read_back_from_dynamodbs_types(item):
    assert ledger.decode(ledger.encode(item)) == item


@pytest.mark.parametrize(("claim", "generation", "held"), [(OWN, 1, True), (OTHER, 1, False), (OWN, 2, False)])
def test_a_file_is_held_by_its_claim_in_its_generation(claim, generation, held):
    item = {**arrival(), "state": states.CLAIMED, "claim": OWN}
    assert ledger.holds(item, claim, generation) is held


@pytest.mark.parametrize("state", [state for state in states.FILE_STATES if state != states.CLAIMED])
def test_a_file_that_is_not_claimed_is_held_by_nobody(state):
    assert not ledger.holds({**arrival(), "state": state, "claim": OWN}, OWN, 1)
    assert not ledger.holds(None, OWN, 1)


def test_work_side_by_side_keeps_its_order_and_raises_the_first_error():
    assert ledger.side_by_side(lambda number: number * 2, range(50)) == [number * 2 for number in range(50)]
    assert ledger.side_by_side(str, []) == []
    with pytest.raises(ZeroDivisionError):
        ledger.side_by_side(lambda number: 1 // number, [1, 0, 2])
