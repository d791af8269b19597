"""A value of a file stands in quarantine and nowhere else, whatever is wrong with the file or with its processor."""

import io
import json
import re
import zipfile

import duckdb
import pytest

from aws import Place, feed_of
from claims import Held
from filebatch.core.records import FileState
from filebatch.runs import settling, summary
from workers import Worker, keys_under, object_of, quarantine_of, result_of

SECRET = "Jane Roe SSN 078-05-1120"
FRAGMENTS = ("Jane", "Roe", "SSN", "078-05", "05-1120")


class Told:
    """All that was told of a claim's files, and to whom, once its worker has ended."""

    def __init__(self, held, **more):
        self.held = held
        self.ended = Worker(held, more=more).run()
        settling.settle(held.ctx, held.record, None)
        files = [held.item(number) for number in range(len(held.files))]
        told = summary.summarize(held.record, files, "s3://r/plan.json")
        self.text, self.document = told.text, told.to_json()

    def everywhere(self, number):
        """Return what is told of one file, by place."""
        result = result_of(self.held, number)
        item = {name: value for name, value in self.held.item(number).to_item().items() if name not in ("pk", "key")}
        return {
            "ledger": json.dumps(item, default=str),
            "result": json.dumps(result.to_json()["reason"]) if result else "",
            "log": self.ended.output,
            "message for people": self.text,
            "message for programs": json.dumps(self.document),
        }

    def reason(self, number):
        return self.held.item(number).reason

    def quarantined(self, number):
        prefix = quarantine_of(self.held, number)
        if f"{prefix}_reason.json" not in keys_under(self.held.place, prefix):
            return None
        return json.loads(object_of(self.held.place, f"{prefix}_reason.json"))["reason"]


def leaks(told, number):
    return [(place, word) for place, text in told.everywhere(number).items() for word in FRAGMENTS if word in text]


def parquet(folder, sql):
    with duckdb.connect() as connection:
        connection.sql(sql).write_parquet(str(folder / "written"))
    return (folder / "written").read_bytes()


def zipped(name, content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, content)
    return packed.getvalue()


OPTIONS = {"columns": {"amount": "integer", "note": "string"}, "extra_columns": "error"}
GOOD = f"amount,note\n1,{SECRET}\n"
TABLES = {
    "number.csv": (f"amount,note\n1,x\n{SECRET},x\n", "type-mismatch"),
    "ragged.csv": (f"amount,note\n1,x,{SECRET}\n", "ragged"),
    "open-quote.csv": (f'amount,note\n1,"{SECRET}\n', "truncated"),
    "stray-quote.csv": (f'amount,note\n1,"{SECRET}"x{SECRET}\n2,y\n', "bad-quoting"),
    "other-header.csv": (f"{SECRET},note\n1,x\n2,y\n", "missing-column"),
    "more-columns.csv": (f"amount,note,{SECRET}\n1,x,y\n", "extra-column"),
    "number.ndjson": (f'{{"amount": "{SECRET}", "note": "x"}}\n', "type-mismatch"),
    "broken.ndjson": (f'{{"amount": 1, "note": "x"}}\n{{"amount": {SECRET}}}\n{{"amount": 2}}\n', "bad-json"),
    "escape.ndjson": (f'{{"amount": 1, "note": "x"}}\n{{"note": "\\J {SECRET}"}}\n{{"amount": 2}}\n', "bad-json"),
    "twice.ndjson": (f'{{"{SECRET}": 1, "{SECRET}": 2}}\n', "duplicate-key"),
    "number.json": (f'[{{"amount": "{SECRET}", "note": "x"}}]', "type-mismatch"),
    "broken.json": (f'[{{"amount": 1}}, {{"amount": {SECRET}}}]', "bad-json"),
    "member.zip": (zipped(f"{SECRET}.parquet", GOOD), "format-mismatch"),
    "damaged.zip": (zipped(f"{SECRET}.csv", GOOD).replace(GOOD.encode(), GOOD.encode()[::-1]), "corrupt"),
}


PARQUET = {
    "number.parquet": (f"SELECT '{SECRET}' AS amount, 'x' AS note", "type-mismatch"),
    "more-columns.parquet": (f"SELECT 1 AS amount, 'x' AS note, 2 AS \"{SECRET}\"", "extra-column"),
}
CODES = {name: code for name, (_, code) in {**TABLES, **PARQUET}.items()}


@pytest.fixture(scope="module")
def tables(server, tmp_path_factory):
    """Have every kind of bad table processed; return what was told of it."""
    folder = tmp_path_factory.mktemp("parquet")
    written = {name: text if isinstance(text, bytes) else text.encode() for name, (text, _) in TABLES.items()}
    written |= {name: parquet(folder, sql) for name, (sql, _) in PARQUET.items()}
    return Told(Held(Place(server), written, feed_of(options=OPTIONS)))


class TestATableThatDoesNotFit:
    """The built-in processor quotes files in quarantine alone."""

    @pytest.mark.parametrize("number", range(len(CODES)), ids=CODES)
    def test_nobody_is_told_what_stands_in_it(self, tables, number):
        assert tables.reason(number).code == list(CODES.values())[number]
        assert leaks(tables, number) == []

    @pytest.mark.parametrize("number", range(len(CODES)), ids=CODES)
    def test_quarantine_has_the_file_and_the_reason(self, tables, number):
        held = tables.held
        assert tables.quarantined(number)["code"] == list(CODES.values())[number]
        assert object_of(held.place, f"{quarantine_of(held, number)}file")

    @pytest.mark.parametrize("name", ["number.csv", "number.ndjson", "number.json", "number.parquet"])
    def test_a_value_of_the_wrong_type_is_told_by_its_place_and_shape(self, tables, name):
        number = list(CODES).index(name)
        assert SECRET in json.dumps(tables.quarantined(number))
        message = tables.reason(number).message
        assert message.endswith("column 'amount': expected integer, found text of 24 characters")
        assert message in tables.text


def test_what_was_left_out_is_quoted_in_rejects_alone(place):
    content = f"amount,note\n1,x\n{SECRET},x\n".encode()
    told = Told(Held(place, {"a.csv": content}, feed_of(options={**OPTIONS, "max_bad_rows": 1})))
    assert told.held.item().state == FileState.SUCCEEDED
    rejects = next(output for output in result_of(told.held).outputs if output.name == "rejects.json")
    assert SECRET in object_of(place, rejects.key).decode()
    assert leaks(told, 0) == []


def test_a_feed_may_have_the_values_shown(place):
    content = f"amount,note\n{SECRET},x\n".encode()
    told = Told(Held(place, {"a.csv": content}, feed_of(options=OPTIONS, show_values=True)))
    assert f"column 'amount': expected integer, found text of 24 characters: '{SECRET}'" in told.reason(0).message
    assert SECRET in told.text
    assert SECRET in told.ended.output


def quoting(place, *ways, **fields):
    contents = {f"{way}.txt": f"{way} {SECRET}".encode() for way in ways}
    return Told(Held(place, contents, feed_of(processor="quoting:process", **fields)))


@pytest.fixture(scope="module")
def own(server):
    """Have a processor of a user's own quote its file in every way; return what was told of it."""
    return quoting(Place(server), *EXPECTED)


EXPECTED = {
    "message": ("bad-total", "line 3"),
    "values": ("bad-row", "row 2: found text of 31 characters"),
    "code": ("invalid", "the reason is told in quarantine"),
    "logs": ("bad-row", "line 1"),
    "thread": ("bad-row", "line 1"),
    "error": ("bug", "ValueError at line N of quoting (way); its text may quote the file"),
    "cause": ("bug", "KeyError at line N of quoting (raises_from)"),
    "context": ("bug", "RuntimeError at line N of quoting (raises_while)"),
    "note": ("bug", "ValueError at line N of quoting (raises_noted)"),
    "system": ("bug", "FileNotFoundError: No such file or directory at line N of quoting (way)"),
    "configuration": ("configuration", "ConfigurationError at line N of quoting (way)"),
    "memory": ("out_of_memory", "MemoryError at line N of quoting (way)"),
    "exit": ("bug", "ProcessorExitError: the processor ended the program with exit code text of 29 characters"),
    "outputs": ("bug", "OutputError: output 1 of 2: expected a name of its own"),
    "transient": ("transient", ""),
}


class TestAProcessorOfAUsersOwn:
    """Nothing that it says of a file is told, as it may quote the file."""

    @pytest.mark.parametrize("number", range(len(EXPECTED)), ids=EXPECTED)
    def test_nobody_is_told_what_stands_in_the_file(self, own, number):
        assert leaks(own, number) == []

    @pytest.mark.parametrize("way", [way for way in EXPECTED if way != "transient"])
    def test_everybody_is_told_the_code_and_where(self, own, way):
        code, message = EXPECTED[way]
        found = own.reason(list(EXPECTED).index(way))
        told = re.sub(r"at line \d+", "at line N", found.message)
        assert (found.code, told[: len(message)]) == (code, message)

    @pytest.mark.parametrize("way", ["message", "values", "code"])
    def test_quarantine_has_every_word(self, own, way):
        assert SECRET in json.dumps(own.quarantined(list(EXPECTED).index(way)))

    def test_the_log_has_the_traceback_of_what_was_raised_from_what(self, own):
        cause, _, effect = re.sub(r"at line \d+", "at line N", own.ended.output).partition("KeyError at")
        assert "ValueError at line N of quoting (raises_from)" in cause
        assert "which led to" in cause
        assert "raise KeyError(text) from error" in cause
        assert effect.startswith(" line N of quoting (raises_from)")


def test_what_nobody_catches_is_logged_without_its_text(place):
    told = quoting(place, "uncaught")
    assert told.ended.code == 1
    assert "Uncaught at line" in told.ended.output
    assert leaks(told, 0) == []


def test_a_feed_may_have_all_words_of_its_processor_shown(place):
    told = quoting(place, "message", "error", "cause", show_values=True)
    assert told.reason(0).message == f"found message {SECRET}"
    assert told.reason(1).message == f"ValueError: error {SECRET}"
    assert f"KeyError: 'cause {SECRET}'" in told.ended.output
    assert f"could not convert string to float: 'cause {SECRET}'" in told.ended.output


HOSTILE = "http://evil.example/x \x1b[2J\u202e www.evil.example"


def test_a_key_with_a_link_and_control_characters_reaches_people_without_either(place):
    told = Told(Held(place, {HOSTILE: b"raise"}, feed_of(processor="acts:process")))
    assert "http[:]//evil[.]example/x \\x1b[2J\\u202e www[.]evil[.]example'" in told.text
    assert told.document["files"][0]["key"] == told.held.files[0].key
    for text in (told.text, told.ended.output):
        assert not set(text) & {"\x1b", "\u202e"}


def test_what_a_processor_logs_is_one_line_in_which_all_can_be_seen(place):
    words = b"log one\x1b[2J\xe2\x80\xae\n2026-01-02 00:00:00,000 INFO forged"
    told = Told(Held(place, {"a.txt": words}, feed_of(processor="acts:process")))
    assert "WARNING one\\x1b[2J\\u202e\\n2026-01-02 00:00:00,000 INFO forged\n" in told.ended.output


@pytest.mark.parametrize("show_values", [True, False])
def test_what_a_file_holds_breaks_no_line_of_log_or_message(place, show_values):
    content = b"error \x1b[2J\xe2\x80\xae http://evil.example/x\n2026-01-02 00:00:00,000 INFO forged"
    told = Told(Held(place, {"a.txt": content}, feed_of(processor="quoting:process", show_values=show_values)))
    for text in (told.reason(0).message, *told.text.splitlines(), *told.ended.output.splitlines()):
        assert text.isprintable()
        assert not text.startswith("2026-01-02 00:00:00")
    assert "evil.example" not in told.reason(0).message
    assert ("evil[.]example" in told.reason(0).message) == show_values
