import pytest
from botocore.exceptions import ClientError

from aws import feed_of, recorded
from claims import Held
from filebatch.core import paths, round_file
from filebatch.core.errors import ContractError
from filebatch_worker.unit import read_unit
from golden import golden


def test_a_child_reads_its_own_line_and_its_own_unit(place):
    held = Held(place, 3, feed_of(packing={"files": 1}))
    key = paths.round_units("orders", held.token, 1)
    with recorded(held.ctx.s3, "s3.GetObject") as calls:
        unit = read_unit(held.ctx.s3, place.results, key, 1)
    assert unit == held.units()[1]
    assert [call["Range"].startswith("bytes=") for call in calls] == [True, True]
    whole = len(round_file.encode(held.units()))
    spans = [call["Range"].removeprefix("bytes=").split("-") for call in calls]
    assert sum(int(last) - int(first) + 1 for first, last in spans) < whole / 2


def test_what_airflow_wrote_the_worker_reads(place):
    held = Held(place, 1)
    held.ctx.s3.put_object(Bucket=place.results, Key="round", Body="".join(golden("round")).encode())
    unit = read_unit(held.ctx.s3, place.results, "round", 0)
    assert unit.to_json() == golden("unit")


def test_an_index_that_the_round_has_not_is_an_error(place):
    held = Held(place, 1)
    with pytest.raises((ContractError, ClientError)):
        read_unit(held.ctx.s3, place.results, paths.round_units("orders", held.token, 1), 1)
