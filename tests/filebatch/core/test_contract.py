"""The contract between Airflow and worker: round-trips, golden documents, and loud failures."""

import inspect
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filebatch.core import contract, round_file
from filebatch.core.contract import FileVersion, Output, Reason, Result, Unit, Work
from filebatch.core.errors import ContractError
from golden import agrees, golden
from values import RESULTS, UNITS, WORKS

FILE = FileVersion("new-files", "orders/2026-01-02/ü.csv", "v1", "0" * 32, 8, "2026-01-02T03:04:05.000Z")
WORK = Work(FILE, "2026-01-02T00:00:00.000Z", generation=2, attempt=1)
UNIT = Unit(
    feed="orders",
    claim="0123456789abcdef-0001",
    run_id="manual__2026-01-02",
    round=1,
    index=0,
    processor="tabular",
    options={"header": True},
    max_attempts=3,
    show_values=False,
    files=(WORK,),
)
SUCCEEDED = Result(
    feed="orders",
    state="SUCCEEDED",
    work=WORK,
    claim=UNIT.claim,
    run_id=UNIT.run_id,
    job_id="job:0",
    outputs=(Output("data.parquet", "results/orders/…/g2/job-0-1/data.parquet", 512, "a" * 64, rows=1),),
    rows=1,
    reason=None,
    quarantine=None,
    notes={"format": "csv"},
    timings={"fetch": 0.1, "process": 0.2, "upload": 0.3},
    used={"vcpu_seconds": 0.35, "gib_seconds": 0.7},
    worker="0.1.0",
    started_at="2026-01-02T03:05:00.000Z",
    committed_at="2026-01-02T03:05:01.000Z",
)
INVALID = replace(
    SUCCEEDED,
    state="INVALID",
    outputs=(),
    rows=None,
    reason=Reason("truncated", "the file ends within line 3", {"line": 3}),
    quarantine="quarantine/orders/…/g2/file",
)


def through_json(document):
    return json.loads(contract.encode(document))


@given(UNITS)
def test_a_unit_reads_back_as_it_was_written(unit):
    assert Unit.from_json(through_json(unit.to_json())) == unit


@given(WORKS)
def test_a_work_reads_back_as_it_was_written(work):
    assert Work.from_json(through_json(work.to_json())) == work


@given(RESULTS)
def test_a_result_reads_back_as_it_was_written(result):
    assert Result.from_json(through_json(result.to_json())) == result


@given(UNITS)
def test_a_document_is_one_line_of_ascii(unit):
    written = contract.encode(unit.to_json())
    assert written.isascii()
    assert written.splitlines() == [written]


@given(st.lists(UNITS, max_size=5))
def test_a_round_gives_each_child_its_unit_and_no_other_bytes(units):
    document = round_file.encode(units)
    for index, unit in enumerate(units):
        first, last = round_file.index_range(index)
        first, last = round_file.unit_range(document[first : last + 1])
        assert round_file.decode_unit(document[first : last + 1]) == unit
    assert round_file.decode(document) == units


def test_the_rounds_bytes_are_its_index_and_its_units():
    document = round_file.encode([UNIT, replace(UNIT, index=1)])
    spans = [
        round_file.unit_range(document[start : start + round_file.INDEX_LINE]) for start in (0, round_file.INDEX_LINE)
    ]
    assert spans[0][0] == 2 * round_file.INDEX_LINE
    assert spans[1] == (spans[0][1] + 1, len(document) - 1)


def test_a_unit_is_as_both_sides_know_it():
    assert agrees("unit", UNIT.to_json())
    assert Unit.from_json(golden("unit")) == UNIT


@pytest.mark.parametrize(("name", "result"), [("result-succeeded", SUCCEEDED), ("result-invalid", INVALID)])
def test_a_result_is_as_both_sides_know_it(name, result):
    assert agrees(name, result.to_json())
    assert Result.from_json(golden(name)) == result


def test_a_round_file_is_as_both_sides_know_it():
    units = [UNIT, replace(UNIT, index=1, files=())]
    assert agrees("round", round_file.encode(units).decode().splitlines(keepends=True))
    assert round_file.decode("".join(golden("round")).encode()) == units


@pytest.mark.parametrize("found", [0, 3, "1", None])
@pytest.mark.parametrize(
    ("kind", "name", "read"), [(Unit, "unit", "contract 1"), (Result, "result-succeeded", "a contract from 1 to 2")]
)
def test_a_document_of_another_contract_says_what_to_do(kind, name, read, found):
    with pytest.raises(ContractError, match=rf"expected {read}, found .*deploy image and DAGs together"):
        kind.from_json({**golden(name), "contract": found})


def paths_in(document, path=()):
    """Yield the path of every mapping of a document that the contract fixes."""
    yield path
    for name, value in document.items():
        if isinstance(value, dict) and name in ("work", "file", "reason"):
            yield from paths_in(value, (*path, name))
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield from paths_in(value[0], (*path, name, 0))


def changed(document, path, change):
    """Return a copy of a document in which the mapping at `path` is changed."""
    document = json.loads(json.dumps(document))
    inner = document
    for step in path:
        inner = inner[step]
    change(inner)
    return document


@pytest.mark.parametrize(("kind", "name"), [(Unit, "unit"), (Result, "result-succeeded"), (Result, "result-invalid")])
def test_a_document_that_lost_or_gained_any_field_is_refused(kind, name):
    document = golden(name)
    for path in paths_in(document):
        for field in list(_at(document, path)):
            with pytest.raises(ContractError):
                kind.from_json(changed(document, path, lambda inner, field=field: inner.pop(field)))
        with pytest.raises(ContractError):
            kind.from_json(changed(document, path, lambda inner: inner.update(surprise=1)))


def _at(document, path):
    for step in path:
        document = document[step]
    return document


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["contract", "files", "file", "work", "outputs", "reason"]), inner)
        ),
    )
)
def test_anything_else_is_a_contract_error_and_no_other(document):
    for read in (Unit.from_json, Result.from_json, Work.from_json):
        with pytest.raises(ContractError):
            read(document)


@pytest.mark.parametrize("written", [b"", b"{", b"\xff", b'{"contract":1}', b"[]"])
def test_bytes_that_are_no_unit_are_a_contract_error(written):
    with pytest.raises(ContractError):
        round_file.decode_unit(written)


@pytest.mark.parametrize("line", [b"", b"1", b"a b", b"1 2 3", b'{"contract":1,"files":[],'])
def test_an_index_line_that_is_none_is_a_contract_error(line):
    with pytest.raises(ContractError, match="index"):
        round_file.unit_range(line)


def test_a_round_without_units_is_empty():
    assert round_file.encode([]) == b""
    assert round_file.decode(b"") == []


def test_a_result_that_an_older_worker_wrote_is_read():
    """As version 1 had it; `used` came with 2."""
    written = {**golden("result-succeeded"), "contract": 1}
    del written["used"]
    assert Result.from_json(written) == replace(SUCCEEDED, used=None)


class TestContractsOfOtherVersions:
    """Image and DAGs are updated one after the other; results stay for good."""

    @pytest.fixture(autouse=True)
    def third(self, monkeypatch):
        for version, upgrades in (("VERSION", contract.UPGRADES), ("RESULT_VERSION", contract.RESULT_UPGRADES)):
            monkeypatch.setattr(contract, version, 3)
            monkeypatch.setitem(upgrades, 1, lambda values: {**values, "run_id": "1 to 2"})
            monkeypatch.setitem(upgrades, 2, lambda values: {**values, "run_id": values["run_id"] + ", 2 to 3"})

    def test_a_result_of_any_version_is_read(self):
        document = golden("result-succeeded")
        assert Result.from_json({**document, "contract": 1}).run_id == "1 to 2, 2 to 3"
        assert Result.from_json({**document, "contract": 3}).run_id == document["run_id"]

    def test_a_unit_of_the_previous_version_is_read_and_no_older_one(self):
        document = golden("unit")
        assert Unit.from_json({**document, "contract": 2}).run_id == document["run_id"] + ", 2 to 3"
        with pytest.raises(ContractError, match="unit: expected a contract from 2 to 3, found 1; deploy"):
            Unit.from_json({**document, "contract": 1})


def test_every_version_there_was_has_a_way_to_this_one():
    assert sorted(contract.UPGRADES) == list(range(contract.FIRST, contract.VERSION))
    assert sorted(contract.RESULT_UPGRADES) == list(range(contract.FIRST, contract.RESULT_VERSION))


def test_the_contract_depends_on_nothing_but_the_standard_library():
    source = inspect.getsource(contract)
    imported = set(re.findall(r"^(?:from|import) ([\w.]+)", source, re.MULTILINE))
    assert imported == {
        "__future__",
        "hashlib",
        "json",
        "collections.abc",
        "dataclasses",
        "typing",
        "filebatch.core.errors",
    }


def test_json_without_end_of_depth_is_no_document():
    with pytest.raises(ContractError, match="expected JSON"):
        contract.decode("result", b"[" * 200_000)
