"""The ledger against a real table over HTTP: of any two movers one wins, and the other is told."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

import mean
from aws import NOW, recorded
from filebatch.core import clock, feed_moves, file_moves, listed, requests, run_moves
from filebatch.core.conditions import Contains, Equal
from filebatch.core.errors import MoveRefused
from filebatch.core.feed_records import Bell
from filebatch.core.file_moves import FileFailure
from filebatch.core.ledger import FIRST_PAUSE, LAST_PAUSE, Ledger, Moved
from filebatch.core.listed import ListedFile
from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.core.rows import Row
from filebatch.core.run_moves import Asked
from moves import FEED, FILE, KEY, OTHER, OWN, REASON, RUN_ID, arrival, run_record

SHARDS = listed.partitions(FEED)


def files(count):
    return [replace(FILE, key=f"orders/{number:03d}.csv") for number in range(count)]


def waiting(place, count, due=NOW):
    """Add files that wait; return their keys."""
    added = files(count)
    assert all(place.prepared.add(file_moves.arrive(file, FEED, NOW, due)) for file in added)
    return [FileRecord.at(file) for file in added]


def test_an_item_is_added_once_and_stays_as_it_was(place):
    assert place.ledger.add(arrival())
    assert not place.ledger.add(replace(arrival(), size=99))
    assert place.ledger.get(KEY) == arrival()


def test_a_move_answers_with_the_item_as_it_is_now(place):
    place.ledger.add(arrival())
    moved = place.ledger.try_move(file_moves.claim(KEY, OWN, RUN_ID, 1, NOW))
    assert moved.done
    assert moved.record == place.ledger.get(KEY)
    assert moved.record.claim == OWN


def test_a_refused_move_changes_nothing_and_tells_what_stood_against_it(place):
    place.ledger.add(arrival())
    place.ledger.move(file_moves.claim(KEY, OWN, RUN_ID, 1, NOW))
    before = place.ledger.get(KEY)
    moved = place.ledger.try_move(file_moves.claim(KEY, OTHER, RUN_ID, 1, NOW))
    assert (moved.done, moved.record) == (False, before)
    assert place.ledger.get(KEY) == before


def test_a_move_of_what_is_not_there_is_refused(place):
    moved = place.ledger.try_move(file_moves.claim(KEY, OWN, RUN_ID, 1, NOW))
    assert (moved.done, moved.record) == (False, None)


def test_of_many_who_claim_a_file_at_once_one_gets_it(place):
    place.ledger.add(arrival())
    tokens = [f"{number:016x}-0001" for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        moved = list(
            pool.map(lambda token: place.ledger.try_move(file_moves.claim(KEY, token, RUN_ID, 1, NOW)), tokens)
        )
    winners = [token for token, answer in zip(tokens, moved, strict=True) if answer.done]
    assert len(winners) == 1
    assert place.ledger.get(KEY).claim == winners[0]
    assert all(answer.record.claim == winners[0] for answer in moved)


def test_of_many_who_add_a_file_at_once_one_does(place):
    with ThreadPoolExecutor(12) as pool:
        seen = [replace(arrival(), arrived_at=clock.to_iso(NOW + timedelta(seconds=each))) for each in range(12)]
        assert sum(pool.map(place.ledger.add, seen)) == 1


def test_an_item_that_is_added_again_after_its_answer_was_lost_is_told_as_added(place):
    assert place.ledger.add(arrival())
    assert place.ledger.add(arrival())
    place.ledger.move(file_moves.claim(KEY, OWN, RUN_ID, 1, NOW))
    assert not place.ledger.add(arrival())


def test_many_moves_are_answered_in_their_order(place):
    keys = waiting(place, 30)
    place.ledger.move(file_moves.claim(keys[7], OTHER, RUN_ID, 1, NOW))
    moved = place.ledger.try_all(file_moves.claim(key, OWN, RUN_ID, 1, NOW) for key in keys)
    assert [answer.record.row for answer in moved] == keys
    assert [number for number, answer in enumerate(moved) if not answer.done] == [7]


def test_many_items_are_read_a_hundred_a_call(place):
    keys = waiting(place, 101)
    with recorded(place.connect("dynamodb"), "dynamodb.BatchGetItem") as calls:
        found = place.ledger.get_many([*keys, FileRecord.at(replace(FILE, key="orders/none"))])
    assert set(found) == set(keys)
    sizes = sorted(len(call["RequestItems"][place.table]["Keys"]) for call in calls)
    # At its meanest AWS leaves some for later, which are asked for again.
    assert sizes == [2, 100] or (mean.IS_ON and max(sizes) == 100)


def test_a_key_that_is_asked_for_twice_is_read_once(place):
    (key,) = waiting(place, 1)
    assert list(place.ledger.get_many([key, key])) == [key]


def test_attributes_that_nobody_needs_are_not_read(place):
    (key,) = waiting(place, 1)
    whole = place.ledger.get(key)
    assert whole.history
    assert place.ledger.get_many([key], without=("history", "outputs")) == {key: replace(whole, history=None)}


def test_nothing_is_read_of_no_keys(place):
    assert place.ledger.get_many([]) == {}


def test_unprocessed_keys_are_asked_for_again_ever_more_slowly():
    class Throttled:
        """Answers one key a call, as a table under load may."""

        def batch_get_item(self, RequestItems):  # noqa: N803 - boto3's
            first, *rest = RequestItems["table"]["Keys"]
            left = {"table": {"Keys": rest}} if rest else {}
            return {"Responses": {"table": [first]}, "UnprocessedKeys": left}

    pauses: list[float] = []
    rows = [Row(Bell, name, "1") for name in ("a", "b", "c", "d", "e")]
    assert set(Ledger(Throttled(), "table", sleep=pauses.append).get_many(rows)) == set(rows)
    for number, pause in enumerate(pauses):
        longest = min(LAST_PAUSE, FIRST_PAUSE * 2**number)
        assert longest / 2 <= pause <= longest
    assert len(pauses) == 4


def test_the_index_has_what_waits_the_longest_due_first(place):
    for number, file in enumerate(files(3)):
        due = NOW - timedelta(minutes=number)
        place.ledger.add(file_moves.arrive(file, FEED, NOW, due))
    found = place.ledger.open(FileRecord.waiting(FEED), due=NOW)
    assert [item["key"] for item in found] == ["orders/002.csv", "orders/001.csv", "orders/000.csv"]
    assert [item["key"] for item in place.ledger.open(FileRecord.waiting(FEED), due=NOW, limit=1)] == ["orders/002.csv"]


def test_the_index_leaves_out_what_is_not_due_yet_or_another_feeds(place):
    (key,) = waiting(place, 1)
    place.ledger.add(file_moves.arrive(replace(FILE, key="other/x.csv"), "other", NOW, NOW))
    place.ledger.move(file_moves.claim(key, OWN, RUN_ID, 1, NOW))
    later = NOW + timedelta(minutes=1)
    place.ledger.move(file_moves.fail(key, OWN, FEED, FileFailure(REASON), retry=later, now=NOW))
    partition = FileRecord.waiting(FEED)
    assert (place.ledger.open(partition, due=NOW), place.ledger.count_open(partition, NOW, limit=9)) == ([], 0)
    assert [item["key"] for item in place.ledger.open(partition, due=later)] == ["orders/000.csv"]
    assert place.ledger.count_open(partition, later, limit=9) == 1
    assert len(place.ledger.open(partition)) == 1


def test_a_claimed_or_settled_file_is_not_in_the_index(place):
    (key,) = waiting(place, 1)
    place.ledger.move(file_moves.claim(key, OWN, RUN_ID, 1, NOW))
    assert place.ledger.open(FileRecord.waiting(FEED)) == []
    place.ledger.move(file_moves.fail(key, OWN, FEED, FileFailure(REASON), retry=None, now=NOW))
    assert place.ledger.open(FileRecord.waiting(FEED)) == []


def test_the_latest_claim_of_a_run_is_found_among_its_own(place):
    run = OWN[:16]
    assert place.ledger.latest_run(FEED, run) is None
    for token in (f"{run}-0001", f"{run}-0010", f"{run}-0002", OTHER):
        place.ledger.add(run_moves.begin(FEED, token, Asked(RUN_ID, 1, 0, ""), timeout=timedelta(minutes=15), now=NOW))
    assert place.ledger.latest_run(FEED, run).token == f"{run}-0010"
    assert place.ledger.latest_run("another", run) is None


def test_a_scan_reads_every_item_and_remove_takes_one_away(place):
    keys = waiting(place, 3)
    place.ledger.add(run_record())
    place.ledger.remove(keys[0])
    place.ledger.remove(keys[0])
    assert {record.row for record in place.ledger.scan()} == {*keys[1:], RunRecord.at(FEED, OWN)}


def test_a_table_that_is_not_there_is_an_error_and_no_refusal(place):
    nowhere = Ledger(place.connect("dynamodb"), "nowhere")
    for act in (lambda: nowhere.add(arrival()), lambda: nowhere.move(feed_moves.arrived(FEED, "orders/", "2026", NOW))):
        with pytest.raises(ClientError, match="ResourceNotFound"):
            act()


def test_a_move_that_has_to_succeed_says_what_it_found_instead(place):
    place.ledger.add(arrival())
    place.ledger.move(file_moves.claim(KEY, OTHER, RUN_ID, 1, NOW))
    with pytest.raises(MoveRefused, match=f"orders/a.csv.*found.*{OTHER}"):
        place.ledger.move(file_moves.claim(KEY, OWN, RUN_ID, 1, NOW))


def test_a_move_that_is_sent_again_after_its_answer_was_lost_is_told_as_made(place):
    place.ledger.add(arrival())
    move = file_moves.claim(KEY, OWN, RUN_ID, 1, NOW)
    first = place.ledger.move(move)
    assert place.ledger.try_move(move) == Moved(True, first)
    assert first.attempts == 1


def test_of_what_waits_no_more_is_read_than_was_asked_for(place):
    """Else the first of many costs a page of 1 MB."""
    keys = waiting(place, 5)
    with recorded(place.connect("dynamodb"), "dynamodb.Query") as calls:
        (found,) = place.ledger.open(FileRecord.waiting(FEED), due=NOW, limit=1)
    assert (found["pk"] in {key.pk for key in keys}, [call["Limit"] for call in calls]) == (True, [1])


def test_what_waits_is_counted_up_to_a_limit(place):
    waiting(place, 5)
    partition = FileRecord.waiting(FEED)
    assert [place.ledger.count_open(partition, NOW, limit=limit) for limit in (3, 5, 9)] == [3, 5, 5]


def test_an_item_that_is_no_record_keeps_nobody_from_reading_the_others(place, caplog):
    rows = waiting(place, 2)
    broken = {**place.ledger.item(rows[0]), "generation": "one"}
    place.connect("dynamodb").put_item(TableName=place.table, Item=requests.encode(broken))
    assert set(place.ledger.get_many(rows)) == {rows[1]}
    assert {record.row for record in place.ledger.scan()} == {rows[1]}
    assert caplog.text.count("generation: expected int, found 'one'; it is left out") == 2


def in_order(files):
    """Return listed files, those first that need people most; of equal ones the latest first."""
    return sorted(files, key=lambda file: file.listed_at, reverse=True)


def listed_in(place):
    """Make files of three states; return their records in the order in which they are listed."""
    keys = waiting(place, 9)
    for key in keys[:6]:
        place.ledger.move(file_moves.claim(key, OWN, RUN_ID, 1, NOW))
    for key in keys[:2]:
        place.ledger.move(file_moves.fail(key, OWN, FEED, FileFailure(REASON), retry=None, now=NOW))
    return in_order(place.ledger.get_many(keys).values())


def test_the_index_lists_files_in_their_order_with_few_attributes(place):
    made = listed_in(place)
    for partition in listed.partitions(FEED):
        expected = [file for file in made if file.listed == partition]
        page = place.ledger.list_files(partition, listed.EVERYTHING, limit=100)
        found = [ListedFile.from_item(item) for item in page.items]
        assert [(file.pk, file.state, file.code, file.size) for file in found] == [
            (file.pk, file.state, file.code, file.size) for file in expected
        ]
        assert "etag" not in {name for item in page.items for name in item}
        assert page.read_to is None


def test_a_stretch_of_the_index_is_read_a_page_at_a_time(place):
    made = listed_in(place)
    claimed = [file for file in made if file.state is FileState.CLAIMED and file.listed == made[-1].listed]
    page = place.ledger.list_files(made[-1].listed, listed.span(FileState.CLAIMED), limit=1)
    assert [item["pk"] for item in page.items] == [file.pk for file in claimed[:1]]
    assert page.read_to == (claimed[0].listed_at if claimed else None)


def test_the_index_is_searched_by_part_of_a_key_and_by_code(place):
    made = listed_in(place)
    for condition, fits in (
        (Contains("key", "s/003"), lambda file: file.key == "orders/003.csv"),
        (Equal("code", "bug"), lambda file: file.state is FileState.FAILED),
    ):
        pages = [place.ledger.list_files(each, listed.EVERYTHING, [condition], limit=100) for each in SHARDS]
        assert {item["pk"] for page in pages for item in page.items} == {file.pk for file in made if fits(file)}


def test_listed_files_are_counted(place):
    made = listed_in(place)
    counted = [place.ledger.count_files(each, listed.span(FileState.CLAIMED), 100) for each in SHARDS]
    assert sum(number for number, _ in counted) == sum(file.state is FileState.CLAIMED for file in made) == 4
    assert not any(more for _, more in counted)
    assert place.ledger.count_files(made[0].listed, listed.EVERYTHING, 1) == (
        1,
        sum(file.listed == made[0].listed for file in made) > 1,
    )


def test_the_versions_of_a_file_are_read(place):
    for version in ("v1", "v2"):
        place.ledger.add(file_moves.arrive(replace(FILE, version_id=version), FEED, NOW, NOW))
    assert [file.version_id for file in place.ledger.versions(FILE.uri, 10)] == ["v1", "v2"]
    assert len(place.ledger.versions(FILE.uri, 1)) == 1
