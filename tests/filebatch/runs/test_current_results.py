"""What is current, as objects that are read without the ledger: true after each run, whoever else writes them."""

import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from aws import feed_of
from claims import Held
from done import KEY, Bucket
from filebatch.core import file_moves, paths
from filebatch.core.contract import Output
from filebatch.core.errors import ContractError
from filebatch.core.records import FileRecord, FileState
from filebatch.runs import announcing, current_results, settling
from filebatch.runs.current_results import NotWrittenError

TABLE = "data.parquet"


@pytest.fixture
def bucket(place):
    return Bucket(place)


def add(bucket, *rows, ctx=None):
    """Say what a run that has settled these files says."""
    current_results.add(ctx or bucket.ctx, [bucket.ctx.ledger.get(row) for row in rows])


def versions(bucket):
    """Return what is said to be current: versions and generations of the file."""
    return [(line["version"], line["generation"]) for line in bucket.now()]


def listed(bucket, name=TABLE):
    """Return what the lists of Parquet files have."""
    prefix = f"{paths.CURRENT}/orders/tables/{name}/"
    found = bucket.ctx.s3.list_objects_v2(Bucket=bucket.ctx.results, Prefix=prefix).get("Contents", [])
    bodies = [bucket.ctx.s3.get_object(Bucket=bucket.ctx.results, Key=each["Key"])["Body"].read() for each in found]
    return [uri for body in bodies for uri in body.decode().splitlines()]


def test_a_run_says_where_the_outputs_of_its_files_are(bucket):
    row = bucket.arrive()
    (output,) = bucket.do(row).outputs
    add(bucket, row)
    (line,) = bucket.now()
    assert line == {
        "key": KEY,
        "version": row.sk,
        "generation": 1,
        "file_time": bucket.ctx.ledger.get(row).file_time,
        "last_modified": "2026-01-01T00:00:00.000Z",
        "arrived_at": bucket.ctx.ledger.get(row).arrived_at,
        "name": TABLE,
        "uri": f"s3://{bucket.ctx.results}/{output.key}",
        "size": 3,
        "rows": 7,
    }
    assert listed(bucket) == [line["uri"]]


def test_the_next_generation_takes_the_place_of_the_one_before(bucket):
    row = bucket.arrive()
    for _ in range(2):
        bucket.do(row)
        add(bucket, row)
    assert versions(bucket) == [(row.sk, 2)]
    assert len(listed(bucket)) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["the newer one later", "the newer one first"])
def test_of_two_versions_the_newer_one_counts_in_whichever_order_runs_say_so(bucket, order):
    rows = [bucket.arrive(day=1), bucket.arrive(content=b"2", day=2)]
    for row in rows:
        bucket.do(row)
    for number in order:
        add(bucket, rows[number])
    assert versions(bucket) == [(rows[1].sk, 1)]


@pytest.mark.parametrize("newer_first", [True, False])
def test_of_two_versions_in_one_run_the_newer_one_counts(bucket, newer_first):
    rows = [bucket.arrive(day=1), bucket.arrive(content=b"2", day=2)]
    for row in rows:
        bucket.do(row)
    add(bucket, *(reversed(rows) if newer_first else rows))
    assert versions(bucket) == [(rows[1].sk, 1)]


def test_a_newer_version_that_is_invalid_leaves_the_older_one_current(bucket):
    good, bad = bucket.arrive(day=1), bucket.arrive(content=b"2", day=2)
    bucket.do(good)
    bucket.do(bad, FileState.INVALID)
    add(bucket, good)
    add(bucket, bad)
    assert versions(bucket) == [(good.sk, 1)]


def test_a_version_that_becomes_invalid_gives_its_place_back_to_the_one_before(bucket):
    older, newer = bucket.arrive(day=1), bucket.arrive(content=b"2", day=2)
    for row in (older, newer):
        bucket.do(row)
        add(bucket, row)
    bucket.do(newer, FileState.INVALID)
    add(bucket, newer)
    assert versions(bucket) == [(older.sk, 1)]
    bucket.do(older, FileState.INVALID)
    add(bucket, older)
    assert bucket.now() == []
    assert listed(bucket) == []


def test_what_is_being_done_again_is_current_though_its_run_says_so_only_now(bucket):
    row = bucket.arrive()
    bucket.do(row)
    bucket.claim(row)
    add(bucket, row)
    assert versions(bucket) == [(row.sk, 1)]


def test_what_an_older_worker_has_settled_is_looked_up_in_its_result(bucket):
    row = bucket.arrive()
    bucket.do(row)
    bucket.place.connect("dynamodb").update_item(
        TableName=bucket.place.table, Key={"pk": {"S": row.pk}, "sk": {"S": row.sk}}, UpdateExpression="REMOVE outputs"
    )
    add(bucket, row)
    (line,) = bucket.now()
    assert (line["name"], line["rows"]) == (TABLE, 7)


def test_a_result_without_outputs_is_known_by_its_key(bucket):
    row = bucket.arrive()
    record = bucket.claim(row)
    result = replace(bucket.sample, work=record.work, claim=record.claim, outputs=())
    bucket.ctx.ledger.move(file_moves.finish(row, record.claim, result, "s3://r", bucket.ctx.now()))
    add(bucket, row)
    (line,) = bucket.now()
    assert (line["key"], line["name"], line["uri"]) == (KEY, None, None)


def test_a_result_with_more_outputs_than_an_item_holds_is_read_itself(bucket):
    row = bucket.arrive()
    record = bucket.claim(row)
    place = paths.of_generation(paths.RESULTS, "orders", record.work)
    many = tuple(Output(f"{n}.parquet", f"{place}job-1/{n}.parquet", n, "a" * 64, n) for n in range(30))
    result = replace(bucket.sample, work=record.work, claim=record.claim, outputs=many)
    bucket.commit(row, record, result)
    assert bucket.ctx.ledger.get(row).outputs is None
    add(bucket, row)
    assert len(bucket.now()) == 30


def test_an_output_that_a_worker_put_elsewhere_is_left_out(bucket, caplog):
    row = bucket.arrive()
    record = bucket.claim(row)
    elsewhere = Output(TABLE, "results/payments/2026/01/01/x-0/g1/job-1/data.parquet", 3, "a" * 64, 7)
    bucket.commit(row, record, replace(bucket.sample, work=record.work, claim=record.claim, outputs=(elsewhere,)))
    add(bucket, row)
    assert [line["uri"] for line in bucket.now()] == [None]
    assert "are left out" in caplog.text


def test_keys_of_strangers_end_no_line(bucket):
    keys = ["orders/\u2028a.csv", 'orders/"b\\.csv', "orders/🗲.csv"]
    for key in keys:
        row = bucket.arrive(key)
        bucket.do(row)
        add(bucket, row)
    found = [line["key"] for line in current_results.read(bucket.ctx)]
    assert set(keys) <= set(found)


# A run says so before it tells anybody.


def settled(place):
    held = Held(place, 2)
    held.finish(0)
    settling.settle(held.ctx, held.record, held.job("exit 70"))
    return held


def test_a_run_says_what_is_current_of_its_files_before_it_tells_anybody(place, monkeypatch):
    held = settled(place)
    seen = []
    monkeypatch.setattr(announcing.sns_message, "publish", lambda *_: seen.append(current_results.read(held.ctx)))
    announcing.announce(held.ctx, "0" * 16)
    assert [[line["key"] for line in lines] for lines in seen] == [[held.files[0].key]] * len(seen)
    assert seen


def test_where_it_cannot_be_written_people_are_told_all_the_same_and_the_log_says_what_to_do(place, caplog):
    held = settled(place)
    refused = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")

    def refuse(**asked):
        if asked["Key"].startswith(paths.CURRENT):
            raise refused
        return held.ctx.s3.get_object(**asked)

    s3 = Between(held.ctx.s3, "nothing", [])
    s3.get_object = refuse
    ctx = replace(held.ctx)
    object.__setattr__(ctx, "s3", s3)
    assert len(announcing.announce(ctx, "0" * 16)) == 1
    assert "`filebatch results orders --rebuild`" in caplog.text


# Two at once.


class Between:
    """S3 as it is, but for what happens just before the first writes of one kind."""

    def __init__(self, s3, of, happens):
        self.s3, self.of, self.happens = s3, of, list(happens)

    def __getattr__(self, name):
        return getattr(self.s3, name)

    def put_object(self, **asked):
        if self.of in asked["Key"] and self.happens:
            self.happens.pop(0)()
        return self.s3.put_object(**asked)


def with_s3(bucket, s3):
    found = replace(bucket.ctx)
    object.__setattr__(found, "s3", s3)
    return found


@pytest.mark.parametrize("of", ["/results/", "/tables/"])
@pytest.mark.parametrize("first", [True, False], ids=["nothing was there", "something was there"])
def test_what_another_run_said_meanwhile_stays(bucket, of, first):
    one, other = bucket.arrive("orders/a.csv"), bucket.arrive("orders/a.csv", b"2", day=2)
    if not first:
        bucket.do(one)
        add(bucket, one)
    bucket.do(one)

    def meanwhile():
        bucket.do(other)
        add(bucket, other)

    add(bucket, one, ctx=with_s3(bucket, Between(bucket.ctx.s3, of, [meanwhile])))
    assert versions(bucket) == [(other.sk, 1)]
    assert listed(bucket) == [line["uri"] for line in bucket.now()]


def test_files_of_the_same_part_that_two_runs_say_at_once_are_all_there(bucket):
    same = ["orders/a.csv", "orders/b.csv"]
    rows = [bucket.arrive(key) for key in same]
    for row in rows:
        bucket.do(row)
    add(bucket, rows[0], ctx=with_s3(bucket, Between(bucket.ctx.s3, "/results/", [lambda: add(bucket, rows[1])])))
    assert {line["key"] for line in current_results.read(bucket.ctx)} >= set(same)


def test_a_list_that_a_killed_run_left_behind_is_set_right_by_the_next(bucket):
    def killed():
        raise KeyboardInterrupt

    row = bucket.arrive()
    bucket.do(row)
    with pytest.raises(KeyboardInterrupt):
        add(bucket, row, ctx=with_s3(bucket, Between(bucket.ctx.s3, "/tables/", [killed])))
    assert listed(bucket) == []
    add(bucket, row)
    assert listed(bucket) == [line["uri"] for line in bucket.now()]


def test_who_never_comes_first_says_so_in_the_end(bucket, monkeypatch):
    monkeypatch.setattr(current_results, "TRIES", 2)
    row = bucket.arrive()
    bucket.do(row)

    def meanwhile():
        bucket.ctx.s3.put_object(
            Bucket=bucket.ctx.results,
            Key=paths.current_results("orders", current_results.part_of(feed_of(), KEY)),
            Body=json.dumps({"key": str(len(between.happens)), "name": None}).encode(),
        )

    between = Between(bucket.ctx.s3, "/results/", [])
    between.happens = [meanwhile] * 2
    with pytest.raises(NotWrittenError, match="others write these parts"):
        add(bucket, row, ctx=with_s3(bucket, between))


def test_what_is_no_part_is_named_with_what_to_do(bucket):
    key = paths.current_results("orders", current_results.UNDATED)
    bucket.ctx.s3.put_object(Bucket=bucket.ctx.results, Key=key, Body=b"{")
    with pytest.raises(ContractError, match=r"/all.ndjson.*delete it, then `filebatch results orders --rebuild`"):
        current_results.read(bucket.ctx)


def test_a_key_with_a_date_is_in_its_days_part_and_all_others_are_in_one():
    dated = feed_of(pattern=r"(?P<date>\d{4}-\d{2}-\d{2})/.*")
    assert current_results.part_of(dated, "orders/2026-01-02/a.csv") == "date=2026-01-02"
    assert current_results.part_of(feed_of(), KEY) == current_results.UNDATED
    assert FileRecord.attributes() >= {"outputs"}
