"""Records: items of the ledger as typed values, and back."""

from dataclasses import fields, replace

import pytest
from hypothesis import given

from aws import NOW
from filebatch.core import file_moves, requests
from filebatch.core.contract import Reason
from filebatch.core.errors import RecordError
from filebatch.core.feed_records import Arrival, Bell, Sweep
from filebatch.core.records import FileRecord, FileState, RunRecord, RunState
from filebatch.core.rows import Partition
from moves import FEED, FILE, OTHER, OWN, arrival, run_record
from values import FILES


@given(FILES)
def test_any_file_survives_the_way_into_an_item_and_back(file):
    record = file_moves.arrive(file, FEED, NOW, NOW)
    assert FileRecord.from_item(requests.decode(requests.encode(record.to_item()))) == record
    assert record.file == file
    assert record.row == FileRecord.at(file)


def test_every_attribute_survives_the_way_into_an_item_and_back():
    values = {"str": "x", "int": 3, "bool": True, "Reason": Reason("bug", "why"), "Mapping": {"FAILED": 1}, "list": [1]}

    def full(record):
        empty = [each for each in fields(record) if getattr(record, each.name) in (None, "", 0)]
        kinds = {each.name: next(kind for kind in values if str(each.type).startswith(kind)) for each in empty}
        return replace(record, **{name: values[kind] for name, kind in kinds.items()})

    for record in (full(arrival()), full(run_record())):
        assert type(record).from_item(record.to_item()) == record
        assert record.to_item().keys() == record.attributes()


def test_what_is_none_is_no_attribute():
    assert not {"claim", "reason", "rows"} & arrival().to_item().keys()


def test_what_this_version_does_not_know_is_kept():
    item = {**arrival().to_item(), "priority": 3, "owners": [{"who": "x"}]}
    record = FileRecord.from_item(item)
    assert record.more == {"priority": 3, "owners": [{"who": "x"}]}
    assert record.to_item() == item


@pytest.mark.parametrize("kind", [FileRecord, RunRecord])
def test_an_item_without_what_every_item_has_is_refused(kind):
    whole = (arrival() if kind is FileRecord else run_record()).to_item()
    for name in kind.needed():
        with pytest.raises(RecordError, match=f"expected {name}; not there"):
            kind.from_item({each: value for each, value in whole.items() if each != name})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("state", "DONE", "FileState"),
        ("generation", "1", "int"),
        ("attempts", 1.5, "int"),
        ("size", True, "int"),
        ("claim", 7, "str"),
        ("key", b"k", "str"),
        ("reason", "bug", "Reason"),
        ("reason", {"code": "bug"}, "Reason"),
        ("suspect", "yes", "bool"),
        ("history", "claimed", "a list"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_name(name, value, expected):
    with pytest.raises(RecordError, match=f"{name}: expected {expected}, found"):
        FileRecord.from_item({**arrival().to_item(), name: value})


def test_counts_are_numbers_by_name():
    item = run_record().to_item()
    assert RunRecord.from_item({**item, "counts": {"FAILED": 2}}).counts == {"FAILED": 2}
    for counts in ({"FAILED": "2"}, [1], "x"):
        with pytest.raises(RecordError, match="counts: expected numbers by name"):
            RunRecord.from_item({**item, "counts": counts})


def test_the_message_of_a_wrong_value_is_bounded():
    with pytest.raises(RecordError) as raised:
        FileRecord.from_item({**arrival().to_item(), "reason": "x" * 100_000})
    assert len(str(raised.value)) < 400


def test_a_processors_word_is_cut_where_it_enters_the_ledger():
    move = file_moves.trouble(arrival().row, OWN, Reason("c" * 300, "m" * 500_000), NOW)
    assert (len(move.become["trouble"]["code"]), len(move.become["trouble"]["message"])) == (100, 2000)


@pytest.mark.parametrize(("claim", "generation", "held"), [(OWN, 1, True), (OTHER, 1, False), (OWN, 2, False)])
def test_a_file_is_held_by_its_claim_in_its_generation(claim, generation, held):
    record = replace(arrival(), state=FileState.CLAIMED, claim=OWN)
    assert record.is_held_by(claim, generation) is held


@pytest.mark.parametrize("state", [state for state in FileState if state is not FileState.CLAIMED])
def test_a_file_that_is_not_claimed_is_held_by_nobody(state):
    assert not replace(arrival(), state=state, claim=OWN).is_held_by(OWN, 1)


@pytest.mark.parametrize(
    ("fence", "job_id", "job"), [(None, None, None), (None, "j1", "j1"), ("j2", "j1", "j2"), ("j2", None, "j2")]
)
def test_the_job_of_a_round_is_the_one_at_work_else_the_one_submitted(fence, job_id, job):
    assert replace(run_record(), fence=fence, job_id=job_id).job == job


@pytest.mark.parametrize("state", RunState)
def test_a_run_is_settled_until_it_begins_another_round(state):
    assert replace(run_record(), state=state).is_settled is (state in (RunState.SETTLED, RunState.ANNOUNCED))


def test_each_thing_has_a_row_of_its_own():
    rows = [RunRecord.at(FEED, OWN), Bell.at(FEED), Sweep.at(FEED), Arrival.at(FEED), arrival().row]
    assert len({(row.pk, row.sk) for row in rows}) == len(rows)
    assert FileRecord.waiting(FEED).name != RunRecord.unannounced(FEED).name


@pytest.mark.parametrize(
    ("row", "pk", "sk", "kind"),
    [
        (Bell.at("orders"), "feed#orders", "bell", Bell),
        (Sweep.at("orders"), "feed#orders", "sweep", Sweep),
        (Arrival.at("orders"), "feed#orders", "arrival", Arrival),
        (RunRecord.at("orders", OWN), "run#orders", OWN, RunRecord),
        (FileRecord.at(FILE), "s3://new-files/orders/a.csv", "v1", FileRecord),
    ],
)
def test_each_kind_has_its_place_in_the_table(row, pk, sk, kind):
    at = {Bell: "at", Sweep: "at", Arrival: "at"}
    made = getattr(kind, at[kind])("orders") if kind in at else row
    assert (made.pk, made.sk, made.kind) == (pk, sk, kind)


def test_the_index_has_a_partition_of_each_feeds_files_and_of_its_runs():
    assert FileRecord.waiting("orders") == Partition(FileRecord, "file#orders")
    assert RunRecord.unannounced("orders") == Partition(RunRecord, "run#orders")


def test_an_item_that_is_no_record_is_named_with_all_that_is_missing():
    item = {name: value for name, value in arrival().to_item().items() if name not in ("etag", "feed")}
    with pytest.raises(RecordError) as error:
        FileRecord.from_item(item)
    assert str(error.value) == ("the ledger's item 's3://new-files/orders/a.csv' 'v1': expected etag, feed; not there")
