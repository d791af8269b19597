"""The simulated S3 and DynamoDB answer as the local ones do: each test runs on both."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from filebatch.core import clock, file_moves, listed, run_moves
from filebatch.core.records import FileRecord, FileState
from filebatch.core.rows import Row
from filebatch.core.run_moves import Asked
from filebatch.intake import listing
from filebatch.runs import jobs
from moves import ALL, arrival, run_record
from refusals import refused


def _by_partition(rows):
    """Return how many of some rows lie in each partition of the index `listed`."""
    return Counter(listed.partition("orders", row) for row in rows).values()


class TestS3:
    def test_what_is_put_is_read_whole_and_in_part(self, place):
        s3, file = place.connect("s3"), place.put("orders/1.csv", b"0123456789")

        whole = s3.get_object(**file.address)
        part = s3.get_object(Bucket=file.bucket, Key=file.key, Range="bytes=2-4")

        assert (whole["Body"].read(), whole["ContentLength"]) == (b"0123456789", 10)
        assert part["Body"].read() == b"234"
        assert s3.head_object(**file.address)["ETag"].strip('"') == file.etag

    def test_a_conditional_put_is_made_once(self, place):
        s3, name = place.connect("s3"), {"Bucket": place.results, "Key": "results/r"}

        s3.put_object(**name, Body=b"1", IfNoneMatch="*")

        assert refused(s3.put_object, **name, Body=b"2", IfNoneMatch="*") == "PreconditionFailed"
        assert s3.get_object(**name)["Body"].read() == b"1"

    def test_each_version_stays_and_a_deleted_key_is_not_there(self, place):
        s3 = place.connect("s3")
        first, second = place.put("k", b"1"), place.put("k", b"22")
        s3.delete_object(Bucket=first.bucket, Key="k")

        assert s3.get_object(**first.address)["Body"].read() == b"1"
        assert s3.get_object(**second.address)["Body"].read() == b"22"
        assert refused(s3.get_object, Bucket=first.bucket, Key="k") == "NoSuchKey"
        assert refused(s3.head_object, Bucket=first.bucket, Key="k") == "404"
        assert not list(listing.versions(s3, first.bucket, "k", latest=True))
        assert [each.version_id for each in listing.versions(s3, first.bucket, "k")] == [
            second.version_id,
            first.version_id,
        ]

    def test_a_version_that_was_deleted_is_gone(self, place):
        s3, file = place.connect("s3"), place.put("k", b"1")
        place.put("k", b"2")
        s3.delete_object(Bucket=file.bucket, Key="k", VersionId=file.version_id)

        assert refused(s3.get_object, **file.address) == "NoSuchVersion"
        assert refused(s3.head_object, **file.address) == "404"

    def test_without_versions_the_etag_tells_an_object_from_its_predecessor(self, place):
        s3, first = place.connect("s3"), place.put("k", b"1", bucket=place.plain_files)
        second = place.put("k", b"2", bucket=place.plain_files)

        assert first.version_id == second.version_id == "null"
        assert refused(s3.get_object, **first.address) == "PreconditionFailed"
        assert refused(s3.head_object, **first.address) == "412"
        assert s3.get_object(**second.address)["Body"].read() == b"2"

    @pytest.mark.parametrize("size", [1, 2, 3, 100])
    def test_a_listing_goes_through_all_versions_in_pages(self, place, size):
        s3 = place.connect("s3")
        put = [place.put(key, content) for key in ("a/1", "a/2", "a/20", "b/1") for content in (b"1", b"22", b"333")]
        s3.delete_object(Bucket=place.new_files, Key="a/2")

        found, markers = [], {}
        while True:
            page = s3.list_object_versions(Bucket=place.new_files, Prefix="a/", MaxKeys=size, **markers)
            found += [(each["Key"], each["VersionId"], each["IsLatest"]) for each in page.get("Versions", [])]
            if not page["IsTruncated"]:
                break
            markers = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

        assert sorted(found) == sorted(
            (file.key, file.version_id, file.size == 3 and file.key != "a/2") for file in put if file.key < "b"
        )
        assert [key for key, _, _ in found] == ["a/1"] * 3 + ["a/2"] * 3 + ["a/20"] * 3

    def test_this_very_version_is_copied(self, place):
        s3, file = place.connect("s3"), place.put("k", b"1")
        place.put("k", b"2")

        s3.copy({"Bucket": file.bucket, "Key": "k", "VersionId": file.version_id}, place.results, "q", ExtraArgs={})

        assert s3.get_object(Bucket=place.results, Key="q")["Body"].read() == b"1"


class TestDynamoDB:
    @pytest.mark.parametrize(
        "names",
        [
            ["claimed", "begin_round 1", "written 1", "fence 1 j1", "settle 1", "announcing", "announced 1"],
            ["claim 0 g1", "fail for now 0", "claim 1 g1", "finish 1 g1", "redo 0 g2", "release 0", "claim 1 g2"],
            ["ring", "ring", "ring again", "answered before", "answered", "ring again", "swept", "arrived"],
            sorted(ALL),
        ],
        ids=["run", "file", "bell", "any order"],
    )
    def test_moves_are_made_and_refused(self, place, names):
        """On the simulated table as in memory, which test_fake_table.py holds to the local one."""
        from fake_table import FakeTable

        real, fake = place.ledger, FakeTable()
        for record in (arrival(), run_record()):
            assert fake.add(record)
            assert real.add(record)
            assert real.add(record)  # it is the same to the letter: a request that was sent again
            assert not real.add(replace(record, feed="another"))
        for name in names:
            assert (name, real.try_move(ALL[name])) == (name, fake.try_move(ALL[name]))
        for key, item in fake.items.items():
            assert real.item(Row(FileRecord, *key)) == item

    def test_an_item_that_gets_too_large_is_refused_before_anything_changes(self, place):
        (row,) = place.arrive(place.put("orders/1.csv"))
        before = place.ledger.item(row)

        assert (
            refused(
                place.connect("dynamodb").update_item,
                TableName=place.table,
                Key={"pk": {"S": row.pk}, "sk": {"S": row.sk}},
                UpdateExpression="SET #reason = :new_reason",
                ExpressionAttributeNames={"#reason": "reason"},
                ExpressionAttributeValues={":new_reason": {"S": "x" * 410_000}},
            )
            == "ValidationException"
        )
        assert place.ledger.item(row) == before

    def test_the_index_lists_by_partition_and_time(self, place):
        files = [place.put(f"orders/{number}.csv") for number in range(5)]
        rows = place.arrive(*files)
        waiting = FileRecord.waiting("orders")

        assert {item["pk"] for item in place.ledger.open(waiting, due=clock.now())} == {row.pk for row in rows}
        assert len(place.ledger.open(waiting, limit=2)) == 2
        assert place.ledger.count_open(waiting, clock.now(), 3) == 3
        assert place.ledger.count_open(waiting, clock.now(), 100) == 5
        assert place.ledger.open(waiting, due=clock.parse_utc("2000-01-01")) == []
        assert place.ledger.open(FileRecord.waiting("others")) == []

    def test_another_index_lists_by_state_and_time(self, place):
        rows = place.arrive(*(place.put(f"orders/{number}.csv") for number in range(12)))
        claimed = sorted(rows, key=lambda row: row.pk)[:9]
        for number, row in enumerate(claimed):
            moment = clock.now() + timedelta(seconds=number)
            place.ledger.move(file_moves.claim(row, "0000000000000001-0001", "run", 1, moment))
        span, found, read_to = listed.span(FileState.CLAIMED), [], []

        for partition in listed.partitions("orders"):
            page = place.ledger.list_files(partition, span, limit=2, backwards=False)
            found += [item["pk"] for item in page.items]
            read_to.append(page.read_to)
            assert [item["listed_at"] for item in page.items] == sorted(item["listed_at"] for item in page.items)
            assert page.read_to is None or page.read_to == page.items[-1]["listed_at"]

        assert set(found) <= {row.pk for row in claimed}
        assert len(found) == sum(min(2, n) for n in _by_partition(claimed))
        assert sum(each is not None for each in read_to) == sum(n > 2 for n in _by_partition(claimed))

    def test_the_latest_run_is_that_of_the_last_epoch(self, place):
        for epoch in (1, 2, 3):
            asked = Asked("run", epoch, 0, "")
            record = run_moves.begin(
                "orders",
                jobs.token("a" * 16, epoch),
                asked,
                timeout=place.settings().heartbeat_timeout,
                now=clock.now(),
            )
            assert place.ledger.add(record)

        latest = place.ledger.latest_run("orders", "a" * 16)

        assert latest is not None
        assert latest.epoch == 3
        assert place.ledger.latest_run("orders", "b" * 16) is None

    def test_many_are_read_at_once_and_all_are_scanned(self, place):
        rows = place.arrive(*[place.put(f"orders/{number}.csv") for number in range(120)])

        assert place.ledger.get_many([*rows, Row(FileRecord, "s3://none", "there")]).keys() == set(rows)
        assert {record.row for record in place.ledger.scan()} == set(rows)

    def test_what_batch_get_refuses(self, place):
        get, key = place.connect("dynamodb").batch_get_item, {"pk": {"S": "a"}, "sk": {"S": "b"}}
        many = [{**key, "sk": {"S": str(number)}} for number in range(101)]

        assert place.table
        assert refused(get, RequestItems={place.table: {"Keys": [key, key]}}) == "ValidationException"
        assert refused(get, RequestItems={place.table: {"Keys": many}}) == "ValidationException"

    def test_what_is_removed_is_gone(self, place):
        (row,) = place.arrive(place.put("orders/1.csv"))
        place.ledger.remove(row)
        place.ledger.remove(row)

        assert place.ledger.get(row) is None
        assert place.ledger.open(FileRecord.waiting("orders")) == []

    def test_numbers_and_nested_values_come_back(self, place):
        item = {"pk": "x", "sk": "y", "counts": {"FAILED": 2}, "rows": 7, "flag": True, "list": ["a", 1]}
        from filebatch.core.requests import decode, encode

        client = place.connect("dynamodb")
        client.put_item(TableName=place.table, Item=encode(item))
        found = client.get_item(TableName=place.table, Key=encode({"pk": "x", "sk": "y"}))["Item"]

        assert decode(found) == item
        assert found["rows"] == {"N": str(Decimal(7))}

    def test_a_table_that_is_not_there(self, place):
        key = {"pk": {"S": "a"}, "sk": {"S": "b"}}
        assert refused(place.connect("dynamodb").get_item, TableName="none", Key=key) == "ResourceNotFoundException"
