"""What a file is, whatever its name says; and what is within an archive."""

import gzip
import importlib
import io
import json
import sys
import zipfile
from dataclasses import replace

import pytest

from filebatch_worker.processor import InvalidFile, Source, load_processor

zstd = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

CSV = b"a,b\n1,x\n2,y\n"
ROWS = [(1, "x"), (2, "y")]


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)  # a test is named after its content, by each of pytest's workers


def zipped(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


PACKED = {
    "gz": (gzipped(CSV), "gzip"),
    "zst": (zstd.compress(CSV), "zstd"),
    "zip": (zipped(("t.csv", CSV)), "zip"),
}


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("name", ["t.csv.{}", "T.CSV.{}", "t.{}", "t", "t.dat"])
def test_a_compressed_table_is_a_table(run, suffix, name):
    content, compression = PACKED[suffix]
    result = run(content, name.format(suffix))
    assert (result.rows, result.profile["compression"]) == (ROWS, compression)


@pytest.mark.parametrize("told", ["gzip", "GZIP", "x-gzip", "aws-chunked, gzip"])
def test_a_content_encoding_says_what_a_suffix_says(tmp_path, told):
    path = tmp_path / "fetched"
    path.write_bytes(gzipped(CSV))
    source = Source(path, "t.csv", path.stat().st_size, told)
    assert load_processor("tabular")(source, tmp_path / "out", {}).rows == len(ROWS)
    with pytest.raises(InvalidFile, match="plain csv"):
        load_processor("tabular")(replace(source, content_encoding="br"), tmp_path / "other", {})


def test_a_content_encoding_that_no_longer_holds_makes_no_difference(tmp_path):
    path = tmp_path / "fetched"
    path.write_bytes(CSV)
    source = Source(path, "t.csv", len(CSV), "gzip")
    assert load_processor("tabular")(source, tmp_path / "out", {}).rows == len(ROWS)


def test_a_gzip_of_several_members_is_read_whole(run):
    assert run(gzipped(CSV) + gzipped(b"3,z\n"), "t.csv.gz").rows == [*ROWS, (3, "z")]


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_an_archive_that_is_cut_is_truncated(refuse, suffix, kept):
    big = b"a,b\n" + b"".join(f"{at},{at * 7919}\n".encode() for at in range(50_000))
    content = {"gz": gzipped, "zst": zstd.compress, "zip": lambda c: zipped(("t.csv", c))}[suffix](big)
    assert refuse(content[: int(len(content) * kept)], f"t.csv.{suffix}").code == "truncated"


@pytest.mark.parametrize("suffix", PACKED)
def test_a_damaged_archive_is_corrupt(refuse, suffix):
    big = b"a,b\n" + b"".join(f"{at},{at * 7919}\n".encode() for at in range(50_000))
    content = bytearray({"gz": gzipped, "zst": zstd.compress, "zip": lambda c: zipped(("t.csv", c))}[suffix](big))
    middle = len(content) // 2
    content[middle : middle + 50] = bytes(byte ^ 0xFF for byte in content[middle : middle + 50])
    assert refuse(bytes(content), f"t.csv.{suffix}").code in ("corrupt", "truncated")


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("t.csv", b"PAR1\x15\0" + b"x" * 100 + b"PAR1", "parquet"),
        ("t.csv", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "a PNG image"),
        ("t.csv", b"<!DOCTYPE html>\n<html><body>404, not found</body></html>", "an HTML or XML page"),
        ("t.csv", b"  <?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an HTML or XML page"),
        ("t", b"<Error><Code>AccessDenied</Code></Error>", "an HTML or XML page"),
        ("t.csv", b"%PDF-1.4\n", "a PDF document"),
        ("t.csv", gzipped(CSV), "gzip"),
        ("t.csv", zipped(("t.csv", CSV)), "zip"),
        ("t.csv", b'{"a": 1}\n{"a": 2}\n', "json"),
        ("t.csv", b'[{"a": 1}]', "json"),
        ("t.csv.gz", CSV, "no compression"),
        ("t.csv.gz", zstd.compress(CSV), "zstd"),
        ("t.zip", CSV, "no compression"),
        ("t.parquet", CSV, "something that doesn't start as Parquet does"),
        ("t.json", CSV, "text that is not JSON"),
        ("t.ndjson.gz", gzipped(CSV), "text that is not JSON"),
        ("t.csv.gz", gzipped(gzipped(CSV)), "a compressed file within a compressed file"),
        ("t.csv.gz", gzipped(b'{"a": 1}\n'), "json"),
        ("t.xlsx", zipped(("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>")), "an Excel workbook (xlsx)"),
        ("t.zip", zipped(("t.parquet", CSV)), "something that doesn't start as Parquet does"),
    ],
)
def test_a_file_that_lies_about_its_format_is_refused(refuse, name, content, found):
    error = refuse(content, name)
    assert (error.code, error.where["found"]) == ("format-mismatch", found)


@pytest.mark.parametrize("content", [b"[id],[name]\n1,x\n", b"{id},{name}\n1,x\n", b"<none>,b\n1,x\n"])
def test_csv_may_start_like_something_else(run, content):
    assert run(content, "t.csv").rows[0][1] == "x"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ([], "bad-archive"),
        ([("a.csv", CSV), ("b.csv", CSV)], "bad-archive"),
        ([("a.csv", b"")], "empty"),
        ([("dir/", b"")], "bad-archive"),
    ],
)
def test_a_zip_holds_exactly_one_file(refuse, members, code):
    assert refuse(zipped(*members), "t.zip").code == code


def damaged(content: bytes, member: bytes) -> bytes:
    """Return a zip with a wrong byte in the data of its last member of this name."""
    at = content.rindex(member, 0, content.index(b"PK\x01\x02")) + len(member)
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


TWO = zipped(("a.csv", CSV), ("b.csv", b"a,b\n" + b"1,2\n" * 100))


@pytest.mark.parametrize(
    ("content", "code", "limit"),
    [
        (zipped(("a.csv", CSV), ("b.csv", b"")), "empty", None),
        (zipped(("a.csv", CSV), ("b.csv", b"a,b\n1,2,3\n")), "ragged", None),
        (zipped(("a.csv", CSV), ("b.parquet", CSV)), "format-mismatch", None),
        (zipped(("a.csv", CSV), ("b.csv", zipped(("c.csv", CSV)))), "format-mismatch", None),
        (damaged(TWO, b"b.csv"), "corrupt", None),
        (TWO, "too-large", 100),
    ],
)
def test_of_several_files_in_a_zip_it_is_told_which_is_at_fault(refuse, content, code, limit):
    options = {"max_uncompressed_bytes": limit} if limit else {}
    error = refuse(content, "t.zip", members="all", **options)
    assert (error.code, error.where["member"]) == (code, 2)
    assert error.message.startswith("file 2 of the zip: ")
    assert error.summary.startswith("file 2 of the zip: ")


def test_where_all_files_of_a_zip_are_asked_for_another_file_is_one_and_called_none_of_a_zips(tmp_path, refuse):
    path = tmp_path / "fetched"
    path.write_bytes(gzipped(CSV))
    processed = load_processor("tabular")(Source(path, "t.csv.gz", 1), tmp_path / "out", {"members": "all"})
    assert [output.name for output in processed.outputs] == ["1/data.parquet", "1/profile.json"]
    assert processed.notes["format"] == "csv"
    assert "member" not in json.loads(processed.outputs[1].path.read_text())
    error = refuse(b"a,b\n1,2,3\n", "t.csv", members="all")
    assert "zip" not in error.message
    assert "member" not in error.where


def test_what_a_mac_adds_to_a_zip_is_no_file(run):
    assert run(zipped(("dir/", b""), ("dir/t.csv", CSV), ("__MACOSX/dir/._t.csv", b"x")), "t.zip").rows == ROWS


@pytest.mark.parametrize("member", ["../../escaped.csv", "/etc/escaped.csv", "..\\escaped.csv", "a\0b.csv"])
def test_the_name_of_a_zips_member_is_never_a_path(run, tmp_path, member):
    assert run(zipped((member, CSV)), "t.zip").rows == ROWS
    assert not list(tmp_path.parent.rglob("escaped.csv"))


def test_a_zip_with_a_password_is_refused(refuse):
    content = bytearray(zipped(("t.csv", CSV)))
    content[6] |= 1  # the local header's flag
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the directory's
    assert refuse(bytes(content), "t.zip").code == "bad-archive"


@pytest.mark.parametrize("suffix", PACKED)
def test_a_bomb_goes_off_within_bounds(refuse, tmp_path, suffix):
    zeros = b"0" * 50_000_000
    content = {"gz": gzipped, "zst": zstd.compress, "zip": lambda c: zipped(("t.csv", c))}[suffix](zeros)
    assert len(content) < 100_000
    error = refuse(content, f"t.csv.{suffix}", max_uncompressed_bytes=5_000_000)
    assert (error.code, error.where["expected"]) == ("too-large", 5_000_000)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 6_000_000


def test_a_plain_file_is_bounded_too(refuse):
    assert refuse(CSV, max_uncompressed_bytes=5).code == "too-large"


@pytest.mark.parametrize(
    "name", ["a'b.csv", "*.csv", "[a].csv", "a;DROP TABLE x.csv", "a=1.csv", "..", "", "ü\n.csv", "https://x.y/z.csv"]
)
def test_the_name_of_a_file_is_only_a_claim(run, name):
    assert run(CSV, name).rows == ROWS
