"""Making a result exist: once per generation, and only while the file is the claim's."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from claims import OTHER, RUN_ID, Held
from filebatch.core import clock, contract, file_moves, paths
from filebatch.core.contract import Reason
from filebatch.core.errors import LostClaim
from filebatch.core.file_moves import FileFailure
from filebatch.core.results import read_result
from filebatch_worker import commit
from filebatch_worker.processor import Output


def test_a_commit_is_what_readers_find(place):
    held = Held(place, 1)
    result = held.commit()
    assert read_result(held.ctx.s3, place.results, "orders", result.work) == result
    head = held.ctx.s3.head_object(Bucket=place.results, Key=paths.result("orders", result.work))
    assert head["ContentType"] == "application/json"


def test_the_first_commit_counts_and_the_second_is_told_of_it(place):
    held = Held(place, 1)
    first = held.commit()
    second = commit.commit(held.ctx.s3, place.results, held.ctx.ledger, held.result(job_id="another"))
    assert second == first
    assert versions(held, first) == 1


def test_of_many_who_commit_at_once_one_does_and_all_agree(place):
    held = Held(place, 1)
    results = [held.result(job_id=f"job-{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: commit.commit(held.ctx.s3, place.results, held.ctx.ledger, one), results))
    assert len({result.job_id for result in found}) == 1
    assert versions(held, found[0]) == 1


def versions(held, result):
    key = paths.result("orders", result.work)
    return len(held.ctx.s3.list_object_versions(Bucket=held.place.results, Prefix=key)["Versions"])


@pytest.mark.parametrize("taken", ["by another claim", "as another generation", "given back", "settled", "unknown"])
def test_a_file_that_is_no_longer_the_claims_is_not_committed(place, taken):
    held = Held(place, 1)
    result, key, ledger = held.result(), held.keys[0], held.ctx.ledger
    if taken == "unknown":
        ledger.remove(key)
    elif taken == "settled":
        ledger.move(
            file_moves.fail(key, held.token, "orders", FileFailure(Reason("bug", "x")), retry=None, now=clock.now())
        )
    else:
        ledger.move(file_moves.release(held.item(), clock.now()))
    if taken == "by another claim":
        ledger.move(file_moves.claim(key, OTHER, RUN_ID, 1, clock.now()))
    if taken == "as another generation":
        result = replace(result, work=replace(result.work, generation=2))
        ledger.move(file_moves.claim(key, held.token, RUN_ID, 1, clock.now()))
    with pytest.raises(LostClaim):
        commit.commit(held.ctx.s3, place.results, ledger, result)
    assert read_result(held.ctx.s3, place.results, "orders", result.work) is None


def test_outputs_are_staged_with_size_checksum_and_rows(place, tmp_path):
    file = tmp_path / "written"
    file.write_bytes(b"content")
    (staged,) = commit.stage(
        place.connect("s3"), place.results, "results/orders/x/g1/job-1/", (Output("part/data.bin", file, rows=2),)
    )
    assert staged == contract.Output(
        "part/data.bin", "results/orders/x/g1/job-1/part/data.bin", 7, hashlib.sha256(b"content").hexdigest(), 2
    )


@pytest.mark.parametrize("names", [("../x",), ("a/../x",), ("/x",), ("",), ("a//x",), ("./x",), ("x", "x")])
def test_an_output_that_is_not_one_place_below_the_prefix_is_refused(place, tmp_path, names):
    file = tmp_path / "written"
    file.write_bytes(b"content")
    outputs = tuple(Output(name, file) for name in names)
    with pytest.raises(commit.OutputError, match="a name of its own, relative"):
        commit.stage(place.connect("s3"), place.results, "results/", outputs)
