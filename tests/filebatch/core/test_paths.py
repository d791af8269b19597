import re
from dataclasses import replace

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from filebatch.core import paths
from filebatch.core.contract import FileVersion, Work
from values import FILES, KEYS, TIMES, WORKS

FILE = FileVersion("new-files", "orders/x.csv", "v1", "e" * 32, 10, "2026-01-02T03:04:05.000Z")
AREAS = (paths.RESULTS, paths.QUARANTINE)

# What S3 adds to a prefix has to stay under 1,024 bytes; a processor's output names share the rest.
LONGEST_PREFIX = 200


def work_of(key: str, file_time: str = "2026-01-02T00:00:00.000Z", **changes) -> Work:
    return Work(replace(FILE, key=key, **changes), file_time)


@given(WORKS, st.sampled_from(AREAS))
def test_a_files_prefix_lies_in_its_area_and_feed_whatever_its_key(work, area):
    prefix = paths.of_generation(area, "orders", work)
    assert prefix.startswith(f"{area}/orders/")
    assert prefix.endswith(f"/g{work.generation}/")
    assert len(prefix) <= LONGEST_PREFIX


@given(WORKS)
@example(work_of("../../../etc/passwd"))
@example(work_of("/"))
@example(work_of(".."))
@example(work_of("a/..\u2028../b"))
@example(work_of("🦆" * 256))
def test_every_element_of_a_path_is_plain(work):
    area, feed, year, month, day, name, generation, last = paths.result("orders", work).split("/")
    assert (area, feed, last) == ("results", "orders", "_result.json")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", f"{year}-{month}-{day}")
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}-[0-9a-f]{12}", name)
    assert ".." not in (name, generation)
    assert re.fullmatch(r"g[1-9]\d*", generation)


@given(WORKS, st.data())
def test_different_versions_have_different_identities_and_paths(work, data):
    other = data.draw(FILES)
    assume((other.bucket, other.key, other.version) != (work.file.bucket, work.file.key, work.file.version))
    assert other.identity != work.file.identity
    assert paths.of_file("results", "orders", other, work.file_time) != paths.of_file(
        "results", "orders", work.file, work.file_time
    )


@given(FILES, st.data())
def test_an_identity_depends_on_bucket_key_and_version_alone(file, data):
    same = replace(file, size=data.draw(st.integers(0)), last_modified=data.draw(TIMES))
    assert same.identity == file.identity


def test_without_versions_the_etag_tells_an_overwrite():
    assert replace(FILE, version_id="null").identity != replace(FILE, version_id="null", etag="f" * 32).identity


def test_with_versions_the_same_content_put_again_is_another_file():
    assert FILE.identity != replace(FILE, version_id="v2").identity


def test_key_and_version_cannot_be_shifted_into_each_other():
    assert replace(FILE, key="a", version_id="bc").identity != replace(FILE, key="ab", version_id="c").identity


@given(KEYS)
def test_a_ledger_key_fits_dynamodb(key):
    file = replace(FILE, key=key, bucket="b" * 63, version_id="v" * 1000)
    assert len(file.uri.encode()) <= 2048
    assert len(file.version.encode()) <= 1024


@pytest.mark.parametrize(
    ("key", "stem"),
    [
        ("orders/2026-01-02/north west.csv.gz", "north-west"),
        ("orders/.hidden.csv", "hidden"),
        ("orders/.csv", "csv"),
        ("orders/", "orders"),
        ("..", "file"),
        ("/", "file"),
        ("🦆.csv", "file"),
        ("a" * 200, "a" * 80),
        ("São Paulo+100%.csv", "S-o-Paulo-100"),
    ],
)
def test_a_stem_is_what_people_know_the_file_by(key, stem):
    assert paths.safe_stem(key) == stem


def test_a_result_has_a_readable_place():
    work = Work(FILE, "2026-01-02T00:00:00.000Z", generation=2)
    assert paths.result("orders", work) == f"results/orders/2026/01/02/x-{FILE.identity[:12]}/g2/_result.json"


def test_generations_do_not_share_a_prefix():
    work = work_of("orders/x.csv")
    prefixes = {paths.of_generation("results", "orders", replace(work, generation=n)) for n in range(1, 30)}
    assert len(prefixes) == 29
    assert not any(one != other and one.startswith(other) for one in prefixes for other in prefixes)


def test_what_a_run_meant_to_do_lies_under_its_claim():
    assert paths.plan("orders", "f00d-0001") == "manifests/orders/f00d-0001/plan.json"
    assert paths.round_units("orders", "f00d-0001", 2) == "manifests/orders/f00d-0001/round-2.units"
    assert paths.parse_round_units("manifests/orders/f00d-0001/round-2.units") == ("orders", "f00d-0001", 2)
    assert paths.parse_round_units(paths.plan("orders", "f00d-0001")) is None
