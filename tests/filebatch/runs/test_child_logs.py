"""Which lines of a container's log are a file's, and where all of them are."""

from filebatch.runs import child_logs
from filebatch.runs.child_logs import LogStream

A, B = "s3://new/a.csv", "s3://new/b.csv"


def record(text, level="INFO"):
    return f"2026-01-02 03:04:05,678 {level} {text}"


LOG = [
    record("starting"),
    record(f"'{A}' INVALID rows=None"),
    "printed while b is done",
    record(f"'{B}' failed: bug", "ERROR"),
    "Traceback (most recent call last):",
    "ValueError (its text may quote the file)",
    record("ended"),
]


def test_a_files_lines_are_those_since_another_was_named_up_to_its_record():
    assert child_logs.of_file(LOG, A) == LOG[:3]
    assert child_logs.of_file(LOG, B) == LOG[3:6]


def test_a_file_that_no_line_names_has_the_logs_end():
    assert child_logs.of_file(LOG, "s3://new/killed.csv") == LOG
    assert child_logs.of_file([], A) == []


def test_of_a_long_record_its_first_line_and_its_last_ones_are_shown():
    trace, names = [f"  line {n}" for n in range(100)], record(f"'{A}' failed: bug")
    assert child_logs.of_file([names, *trace], A) == [names, *trace[-child_logs.EXCERPT + 1 :]]
    fits = trace[: child_logs.EXCERPT - 1]
    assert child_logs.of_file(["printed before", names, *fits], A) == [names, *fits]


def test_a_key_with_quotes_and_newlines_is_found_as_the_worker_writes_it():
    uri = 's3://new/it\'s\n"odd"\u202e.csv'
    written = record(f"{uri!r} failed: bug", "ERROR").replace("\u202e", "\\u202e")
    assert child_logs.of_file([*LOG, written], uri)[-1] == written


def test_a_streams_page_in_the_console_is_named_as_the_console_does():
    stream = LogStream("j:1", "/aws/batch/job", "orders/default/0a")
    assert stream.url("eu-west-1") == (
        "https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups/log-group/"
        "$252Faws$252Fbatch$252Fjob/log-events/orders$252Fdefault$252F0a"
    )
    assert stream.url("cn-north-1", "aws-cn").startswith("https://console.amazonaws.cn/")
