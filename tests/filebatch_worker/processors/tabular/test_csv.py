"""CSV and its kin: dialects, line ends, and the ways a file can be broken."""

import codecs
import csv
import io

import pytest

from filebatch_worker.processors.tabular import csv_file

ROWS = [("1", "x, y"), ("2", 'say "hi"'), ("3", "two\nlines")]
TEXT = 'id,note\n1,"x, y"\n2,"say ""hi"""\n3,"two\nlines"\n'
STORED = [(1, "x, y"), (2, 'say "hi"'), (3, "two\nlines")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_the_dialect_is_found(run, delimiter, newline, quoting):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=newline, quoting=quoting).writerows([("id", "note"), *ROWS])
    result = run(out.getvalue())
    assert result.rows == STORED
    assert result.profile["dialect"] == {"delimiter": delimiter, "quote": '"', "escape": '"', "header": True}


def test_a_delimiter_other_than_the_usual_can_be_declared(run):
    assert run("a~b\n1~2\n", delimiter="~").rows == [(1, 2)]


def test_a_decimal_comma_is_no_delimiter(run):
    assert run("a;b\n1,5;2,5\n3,5;4,5\n").rows == [("1,5", "2,5"), ("3,5", "4,5")]


def test_single_quotes_quote_where_double_ones_do_not_occur(run):
    assert run("'a','b'\n'1','x, y'\n'2','it''s'\n").rows == [(1, "x, y"), (2, "it's")]


def test_an_apostrophe_is_no_quote(run):
    assert run("a,b\n1,it's\n2,'tis\n").column("b") == ["it's", "'tis"]


def test_a_backslash_escapes_quotes_where_doubling_makes_no_sense(run):
    assert run('a,b\n1,"x \\"y\\", z"\n2,"q"\n').column("b") == ['x "y", z', "q"]


def test_a_backslash_before_a_closing_quote_is_a_backslash_where_that_reads_well(run):
    assert run('a,b\n1,"C:\\"\n2,"D:\\"\n').column("b") == ["C:\\", "D:\\"]


def test_quoting_can_be_switched_off(run):
    assert run('a\tb\n1\t"x\n2\ty"\n', "t.tsv", quote="").column("b") == ['"x', 'y"']


def test_an_unquoted_field_may_hold_quotes(run):
    assert run('a,b\r\n1,5" pipe\r\n2,6" pipe\r\n3,7" pipe\r\n').column("b") == ['5" pipe', '6" pipe', '7" pipe']


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\r\n3,4\n",
        "a,b\r\n1,2\n3,4\r\n",
        "a,b\r1,2\r3,4\r",
        "a,b\n1,2\n3,4",
        "\n\na,b\n1,2\n3,4\n",
        "a,b\n\n1,2\n\n\n3,4\n\n",
        '"a","b"\n"1","2"\n"3","4"\n',
        "a,b\r\r\n1,2\r\r\n3,4\r\r\n",
        " a , b \n1,2\n3,4\n",
    ],
)
def test_line_ends_and_empty_lines_make_no_difference(run, content):
    result = run(content)
    assert list(result.columns) == ["a", "b"]
    assert result.rows == [(1, 2), (3, 4)]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("within", ["\n", "\r\n", "\r"])
def test_line_ends_within_quotes_are_kept(run, newline, within):
    result = run(f'a,"b{within}c"{newline}1,"x{within}y"{newline}2,"{within}"{newline}')
    assert list(result.columns) == ["a", "b c"]
    assert result.column("b c") == [f"x{within}y", within]


@pytest.mark.parametrize("within", ["\n", "\r\n", "\r"])
def test_line_ends_within_the_first_row_of_a_file_without_header_are_kept(run, within):
    assert run(f'1,"x{within}y"\n2,z\n', header=False).rows == [(1, f"x{within}y"), (2, "z")]


@pytest.mark.parametrize(
    ("content", "header"),
    [
        ("name,age\nBob,5\n", True),
        ("Bob,5\nEve,6\n", False),
        ("id,2019,2020\na,1,2\n", True),
        ("1,2\n3,4\n", False),
        ("a,b\nc,d\n", True),
        ("2024-01-01,x\n2024-01-02,y\n", False),
        ("a,b\n", True),
    ],
)
def test_a_header_is_told_from_data(run, content, header):
    result = run(content)
    assert result.profile["dialect"]["header"] is header
    assert result.profile["rows"] == len(content.splitlines()) - header


def test_the_header_can_be_declared(run):
    assert run("a,b\nc,d\n", header=False).rows == [("a", "b"), ("c", "d")]
    assert list(run("1,2\n3,4\n", header=True).columns) == ["1", "2"]


def test_every_column_gets_a_name_of_its_own(run):
    result = run("a,A,,a,a_2,\n1,2,3,4,5,6\n")
    assert list(result.columns) == ["a", "A_3", "column_3", "a_4", "a_2", "column_6"]
    assert result.profile["columns"][1]["source_name"] == "A"
    assert result.rows == [(1, 2, 3, 4, 5, 6)]


def test_a_single_column_is_a_table(run):
    assert run("name\nBob\nEve, the second\n", delimiter=";").rows == [("Bob",), ("Eve, the second",)]
    assert run("n\n1\n2\n").rows == [(1,), (2,)]


def test_a_header_alone_is_a_table_without_rows(run, refuse):
    assert run("a,b\n").rows == []
    assert refuse("a,b\n", allow_empty=False).code == "empty"


@pytest.mark.parametrize(
    ("content", "line", "expected", "found"),
    [
        ("a,b\n1,2\n3\n4,5\n", 3, "2 columns", "1 columns"),
        ("a,b\n1,2\n3,4,5\n6,7\n", 3, "2 columns", "3 columns"),
        ('a,b\n"1\n1",2\n3\n4,5\n', 4, "2 columns", "1 columns"),
        ('"a\n",b\n1,2\n3\n4,5\n', 4, "2 columns", "1 columns"),
        ("\n\na,b\r\n1,2\r\n3\r\n4,5\r\n", 5, "2 columns", "1 columns"),
        ("title\na,b\n1,2\n3,4\n", 2, "1 columns", "2 columns"),
    ],
)
def test_a_ragged_row_is_refused_by_its_line(refuse, content, line, expected, found):
    error = refuse(content)
    assert (error.code, error.where["line"]) == ("ragged", line)
    assert (error.where["expected"], error.where["found"]) == (expected, found)


def test_a_last_line_that_is_cut_is_told_from_a_ragged_one(refuse):
    error = refuse("a,b,c\n1,2,3\n4,5")
    assert (error.code, error.where["line"]) == ("truncated", 3)


@pytest.mark.parametrize("filler", [0, 100, 1_500_000])
@pytest.mark.parametrize("quoted", ["x", "x\ny"])
def test_a_file_cut_within_quotes_is_refused_by_the_line_that_opened_them(refuse, filler, quoted):
    rows = f'1,"{quoted}"\n' * (filler // 4)
    content = f'a,b\n{rows}2,"cut here\nand on\n' + "3,4\n" * (filler // 4)
    error = refuse(content)
    assert (error.code, error.where["line"]) == ("truncated", content[: content.index("2,")].count("\n") + 1)


def test_text_after_a_closing_quote_is_refused_by_its_line(refuse):
    error = refuse('a,b\n1,2\n3,"x"y\n4,5\n')
    assert (error.code, error.where["line"]) == ("bad-quoting", 3)
    assert error.message == "line 3: quotes and delimiters don't fit"


def test_line_ends_in_quotes_never_split_rows_however_large_the_file(run):
    """The engine, left to itself, reads this in parallel and takes text within quotes for rows."""
    rows = 1_000_000
    result = run("a,b\n" + '4,"5\n,\n"\n' * rows, header=True)
    assert result.profile["rows"] == rows
    assert result.profile["columns"][1]["distinct"] == 1


@pytest.mark.parametrize(
    ("encode", "encoding"),
    [
        (lambda text: text.encode(), "utf-8"),
        (lambda text: codecs.BOM_UTF8 + text.encode(), "utf-8"),
        (lambda text: text.encode("utf-16"), "utf-16"),
        (lambda text: text.encode("utf-16-le"), "utf-16-le"),
        (lambda text: text.encode("utf-16-be"), "utf-16-be"),
        (lambda text: text.encode("utf-32"), "utf-32"),
        (lambda text: text.encode("cp1252"), "cp1252"),
    ],
)
def test_the_encoding_is_found(run, encode, encoding):
    result = run(encode("name,price\nMüller,5 €\nJosé,6 €\n"))
    assert result.rows == [("Müller", "5 €"), ("José", "6 €")]
    assert list(result.columns) == ["name", "price"]
    assert result.profile["encoding"] == encoding


def test_an_encoding_that_nothing_but_the_text_speaks_for_is_marked_as_a_guess(run):
    content = "name,n\nMüller,1\n"
    for encoding, guessed in {"cp1252": True, "utf-16-le": True, "utf-16": None, "utf-8": None}.items():
        result = run(content.encode(encoding))
        assert result.profile.get("encoding_guessed") is guessed
        assert result.processed.notes.get("encoding_guessed") is guessed
    assert "encoding_guessed" not in run(content.encode("cp1252"), encoding="cp1252").profile


def test_the_encoding_can_be_declared(run):
    assert run("name,n\nÃ¼ber\x85,1\n".encode("latin-1"), encoding="iso-8859-1").rows == [("Ã¼ber\x85", 1)]


def test_damaged_utf8_is_not_taken_for_another_encoding(refuse):
    content = "name,n\nMüller,1\nJosé,2\nZoë,3\n".encode().replace("é".encode(), b"\xe9")
    error = refuse(content)
    assert (error.code, error.where["line"], error.where["byte"]) == ("encoding", 3, content.index(b"\xe9"))


def test_a_file_cut_within_a_character_is_truncated(refuse):
    assert refuse("name,n\nMüller,1\nJosé".encode()[:-1]).code == "truncated"


def test_a_declared_encoding_that_does_not_hold_is_refused(refuse):
    assert refuse("name,n\nMüller,1\n".encode("latin-1"), encoding="utf-8").code == "encoding"


def test_a_nul_byte_is_refused_by_its_line(refuse):
    error = refuse(b"a,b\n1,2\n3,x\0y\n")
    assert (error.code, error.where) == ("nul-byte", {"line": 3, "byte": 11})


@pytest.mark.parametrize("content", [b"", b" ", b"\n\n\r\n \t", codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
def test_a_file_of_nothing_is_empty(refuse, content):
    assert refuse(content).code == "empty"


def test_a_field_of_50_mb_passes(run):
    big = "x" * 50_000_000
    result = run(f"a,b\n1,{big}\n2,y\n")
    assert [len(value) for value in result.column("b")] == [len(big), 1]
    assert len(result.profile["columns"][1]["min"]) == 100


class TestLongLines:
    """With small buffers, so that lines needn't be long to be longer than all of them."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch):
        monkeypatch.setattr(csv_file, "LINE_BYTES", (50_000, 200_000, 3_000_000))
        monkeypatch.setattr(csv_file, "BUFFER_BYTES", 100_000)

    @pytest.mark.parametrize("size", [40_000, 150_000, 400_000, 2_900_000])
    def test_a_line_of_any_length_up_to_the_limit_passes(self, run, size):
        assert [len(value) for value in run(f"a,b\n1,{'x' * size}\n2,y\n").column("b")] == [size, 1]

    def test_a_longer_one_is_refused_for_its_length(self, refuse):
        error = refuse(f"a,b\n1,{'x' * 3_100_000}\n2,y\n")
        assert (error.code, error.where["expected"]) == ("line-too-long", 3_000_000)


@pytest.mark.parametrize("content", ['a"\r ', 'a"\rb\r '])
def test_a_header_in_which_quotes_hide_the_line_end_is_the_files_fault(refuse, content):
    assert refuse(content, "t").code == "bad-quoting"


def test_10000_columns_pass(run):
    width = 10_000
    header = ",".join(f"c{at}" for at in range(width))
    row = ",".join(map(str, range(width)))
    result = run(f"{header}\n" + f"{row}\n" * 10)
    assert (len(result.columns), len(result.rows)) == (width, 10)
    assert result.types["c9999"] == "integer"
    assert result.rows[9][9999] == 9999


def test_more_columns_than_anyone_means_are_refused(refuse):
    assert refuse("," * 30_000 + "\n").code == "too-many-columns"
