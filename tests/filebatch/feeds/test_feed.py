"""What a feed file may say, and how it is told what is wrong with it."""

import itertools
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aws import ROOT, feed_of
from filebatch.core.errors import FeedError
from filebatch.feeds import feed_text
from filebatch.feeds.fargate import FARGATE_MEMORY
from filebatch.feeds.feed import CONTAINER, Feed, load_feed, load_feeds
from filebatch.feeds.notifying import Notifier
from filebatch_worker.processor import BUILT_IN
from golden import agrees
from values import KEYS

LEAST = "prefix: orders/\nstart: 2026-01-01\n"
WEATHER = feed_of("weather", pattern=r"(?P<date>\d{4}-\d{2}-\d{2})/[^/]+\.csv", start="2026-01-02")
MODIFIED = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


def write(folder: Path, text: str, name: str = "orders.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_ten_lines_are_enough(tmp_path):
    feed = load_feed(write(tmp_path, LEAST))
    assert (feed.name, feed.prefix, feed.start) == ("orders", "orders/", date(2026, 1, 1))
    assert (feed.processor, feed.max_attempts, feed.fail_run_on, feed.schedule) == (
        "tabular",
        3,
        "failed",
        "*/15 * * * *",
    )
    assert {name: getattr(feed, name) for name in CONTAINER} == CONTAINER


@pytest.mark.parametrize("name", ["weather", "tables"])
def test_the_feeds_that_come_with_the_project_are_right(name):
    assert load_feed(ROOT / "dags" / "feeds" / f"{name}.yaml").name == name


# What is wrong → the file's text (its name where that is wrong). The messages are the golden document's.
WRONG = {
    "no YAML": "prefix: [",
    "no text": "prefix: \\x00\x01",
    "no mapping": "- prefix",
    "nothing": "",
    "a field is missing": "prefix: orders/\n",
    "a field is unknown": LEAST + "colour: red\n",
    "a field of packing is unknown": LEAST + "packing: {colour: red}\n",
    "a name inside": LEAST + "name: other\n",
    "a key that is no text": LEAST + "1: one\n",
    "prefix without its slash": "prefix: orders\nstart: 2026-01-01\n",
    "prefix with a slash in front": "prefix: /orders/\nstart: 2026-01-01\n",
    "prefix that closes its JSON": LEAST.replace("orders/", '\'orders/"},{"prefix":"/\''),
    "prefix that is a pattern of policies": LEAST.replace("orders/", "'*/'"),
    "prefix that is a variable of policies": LEAST.replace("orders/", "'${aws:username}/'"),
    "prefix too long": LEAST.replace("orders/", "o" * 256 + "/"),
    "image that closes its JSON": LEAST + """image: 'busybox","jobRoleArn":"arn:x","privileged":true,"x":"'\n""",
    "image that is a pattern of policies": LEAST + "image: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/*\n",
    "image of two lines": LEAST + 'image: "busybox:1\\n"\n',
    "description of two lines": LEAST + 'description: "one\\ntwo"\n',
    "description that is written backwards": LEAST + 'description: "\\u202Eone"\n',
    "description too long": LEAST + f"description: {'o' * 201}\n",
    "pattern of two lines": LEAST + 'pattern: "a\\nb"\n',
    "day_prefix with a quote": LEAST + "pattern: '(?P<date>.+)'\nday_prefix: '%Y\"'\n",
    "half a letter": LEAST + 'description: "\\uD83D"\n',
    "prefix that is no text": "prefix: 7\nstart: 2026-01-01\n",
    "pattern that is none": LEAST + "pattern: '('\n",
    "pattern that repeats too often": LEAST + "pattern: 'a{99999999999}'\n",
    "pattern that looks ahead": LEAST + "pattern: '(?!tmp).+'\n",
    "start that is no date": "prefix: orders/\nstart: soon\n",
    "start that is no day of the calendar": "prefix: orders/\nstart: 2026-02-30\n",
    "processor that is none": LEAST + "processor: my processor\n",
    "processor that is built in nowhere": LEAST + "processor: tabula\n",
    "processor of no module": LEAST + "processor: acme..lines:count\n",
    "options that are no mapping": LEAST + "options: [1]\n",
    "options that no worker could be told": LEAST + "options: {since: 2026-01-01}\n",
    "options that tabular hasn't got": LEAST + "options: {colums: {a: date}, delimiter: '||'}\n",
    "types that are none": LEAST
    + "options: {columns: {a: decimal(12.2), b: date(dd.mm.yyyy), c: int}, required: [d]}\n",
    "vcpu that Fargate has not": LEAST + "vcpu: 3\n",
    "memory that Fargate has not": LEAST + "vcpu: 0.5\nmemory: 1000\n",
    "disk too small": LEAST + "disk: 20\n",
    "timeout too short": LEAST + "timeout: 59\n",
    "schedule of a day that never comes": LEAST + "schedule: 0 0 30 2 *\n",
    "schedule of days that never come": LEAST + "schedule: 0 0 31 2,4 *\n",
    "schedule of no time": LEAST + "schedule: '@reboot'\n",
    "schedule of an hour that is none": LEAST + "schedule: 0 24 * * *\n",
    "schedule by hash": LEAST + "schedule: H H * * *\n",
    "pattern that is a glob": LEAST + "pattern: '*.csv'\n",
    "schedule with seconds": LEAST + "schedule: '*/5 * * * * *'\n",
    "schedule by chance": LEAST + "schedule: 0 R * * *\n",
    "start before there was a cloud": "prefix: orders/\nstart: 0001-01-01\n",
    "schedule that is none": LEAST + "schedule: sometimes\n",
    "expected_by that YAML took for a number": LEAST + "expected_by: 10:30\n",
    "expected_by with a zone": LEAST + "expected_by: '10:30+02:00'\n",
    "max_attempts too many": LEAST + "max_attempts: 11\n",
    "fail_run_on that is none": LEAST + "fail_run_on: always\n",
    "architecture that Fargate has not": LEAST + "architecture: arm64\n",
    "packing of no files": LEAST + "packing: {files: 0}\n",
    "claim over the limit": LEAST + "packing: {claim: 10001}\n",
    "prefix with its bucket": LEAST.replace("orders/", "s3://new-files/orders/"),
    "pattern that repeats the prefix": LEAST + "pattern: 'orders/.*'\n",
    "pattern that repeats the prefix in escapes": LEAST.replace("orders/", "a.b/") + r"pattern: '^a\.b/x\.csv'" + "\n",
    "a date of hours": LEAST + r"pattern: '(?P<date>\d{10})\.csv'" + "\n",
    "a date with its day first": LEAST + r"pattern: '(?P<date>\d\d\.\d\d\.\d{4})\.csv'" + "\n",
    "date_format that pattern has not": LEAST + r"pattern: '(?P<date>\d{8})'" + "\ndate_format: '%d.%m.%Y'\n",
    "date_format without a date in the key": LEAST + "date_format: '%Y%m%d'\n",
    "date_format that tells no day": LEAST + r"pattern: '(?P<date>\d{6})'" + "\ndate_format: '%Y%m'\n",
    "date_format in other letters": LEAST + "pattern: '(?P<date>.{10})/.*'\ndate_format: 'dd.mm.yyyy'\n",
    "day_prefix that pattern contradicts": LEAST
    + r"pattern: '(?P<date>\d{4}-\d{2}-\d{2})/.*'"
    + "\nday_prefix: '%Y/%m/%d/'\n",
    "day_prefix behind a folder": LEAST + r"pattern: 'eu/(?P<date>\d{8})/.*'" + "\nday_prefix: '%Y%m%d/'\n",
    "day_prefix of hours": LEAST + r"pattern: '(?P<date>\d{8})/.*'" + "\nday_prefix: '%Y%m%d/%H'\n",
    "day_prefix of no day": LEAST + r"pattern: '(?P<date>\d{8})/.*'" + "\nday_prefix: 'daily/'\n",
    "day_prefix without a date in the key": LEAST + "day_prefix: '%Y/%m/%d/'\n",
}


def test_what_is_wrong_is_told_by_file_field_expected_and_found(tmp_path):
    told = {}
    for what, text in WRONG.items():
        with pytest.raises(FeedError) as error:
            load_feed(write(tmp_path, text))
        told[what] = str(error.value)
    assert agrees("feed-errors", told)


def test_all_that_is_wrong_with_a_file_is_told_at_once(tmp_path):
    text = "prefix: /orders\nname: orders\nmemmory: 512\nvcpu: 4\nday_prefix: '%Y/'\npacking: {files: 0, file: 1}\n"
    with pytest.raises(FeedError) as error:
        load_feed(write(tmp_path, text))
    assert sorted(problem.field for problem in error.value.problems) == [
        "day_prefix",
        "memmory",
        "memory",
        "name",
        "packing.file",
        "packing.files",
        "prefix",
        "start",
    ]
    assert len(str(error.value).splitlines()) == 8
    assert all(line.startswith("orders.yaml: ") for line in str(error.value).splitlines())
    assert "did you mean 'memory'?" in str(error.value)


def test_the_options_of_a_processor_of_ones_own_are_its_own_affair(tmp_path):
    text = LEAST + "processor: acme.lines:count\noptions: {colums: 1}\n"
    assert load_feed(write(tmp_path, text)).options == {"colums": 1}


def test_the_built_in_processors_are_the_workers():
    names = {name for name in ("tabular", "tabula", "csv", *BUILT_IN) if feed_text.fits("processor", name)}
    assert names == set(BUILT_IN)


def test_every_field_that_takes_text_has_a_rule_for_it():
    takes_text = {
        name
        for name, field in Feed.model_fields.items()
        if get_origin(field.annotation) is Literal
        or set(get_args(field.annotation) or [field.annotation]) <= {str, time, type(None)}
    }
    assert set(feed_text.RULES) == takes_text


def test_bytes_that_are_no_text_are_told(tmp_path):
    file = tmp_path / "orders.yaml"
    file.write_bytes(b"prefix: \xff\xfe\n")
    with pytest.raises(FeedError, match=r"^orders\.yaml: expected YAML"):
        load_feed(file)


@pytest.mark.parametrize("name", ["Orders.yaml", "1orders.yaml", "o.yaml", "or_ders.yaml", f"{'o' * 41}.yaml"])
def test_a_file_name_that_is_no_feed_name_is_told(tmp_path, name):
    with pytest.raises(FeedError, match="expected a name of 2 to 40 characters"):
        load_feed(write(tmp_path, LEAST, name))


YAML_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.dictionaries(st.sampled_from(sorted(Feed.model_fields)) | st.text(max_size=6), YAML_VALUES, max_size=4)


@given(FIELDS | YAML_VALUES)
def test_any_document_is_a_feed_or_a_feed_error(tmp_path_factory, document):
    if isinstance(document, dict):
        document = {"prefix": "orders/", "start": date(2026, 1, 1), **document}
    is_feed_or_error(tmp_path_factory, yaml.safe_dump(document))


@given(st.text())
def test_any_text_is_a_feed_or_a_feed_error(tmp_path_factory, text):
    is_feed_or_error(tmp_path_factory, text)


def is_feed_or_error(folders, text: str) -> None:
    file = folders.mktemp("feeds", numbered=True) / "orders.yaml"
    file.write_text(text, encoding="utf-8", newline="")
    feeds, errors = load_feeds(file.parent)
    assert [feed.name for feed in feeds] + [error.file.removesuffix(".yaml") for error in errors] == ["orders"]
    assert all(str(error).startswith("orders.yaml: ") for error in errors)


def test_a_broken_feed_leaves_the_others_alone(tmp_path):
    write(tmp_path, LEAST, "alpha.yaml")
    write(tmp_path, "prefix: [", "broken.yaml")
    write(tmp_path, "prefix: zeta/\nstart: 2026-01-01\n", "zeta.yaml")
    feeds, errors = load_feeds(tmp_path)
    assert [feed.name for feed in feeds] == ["alpha", "zeta"]
    assert [error.file for error in errors] == ["broken.yaml"]


@pytest.mark.parametrize(("one", "other"), [("a/", "a/"), ("a/", "a/b/"), ("a/b/", "a/")])
def test_two_feeds_may_not_share_a_prefix(tmp_path, one, other):
    write(tmp_path, f"prefix: {one}\nstart: 2026-01-01\n", "first.yaml")
    write(tmp_path, f"prefix: {other}\nstart: 2026-01-01\n", "second.yaml")
    feeds, errors = load_feeds(tmp_path)
    assert feeds == []
    assert [str(error) for error in errors] == [
        f"{mine[0]}.yaml: prefix: expected one that doesn't overlap with '{theirs[1]}' of {theirs[0]}.yaml; "
        f"none of them is used, found '{mine[1]}'"
        for mine, theirs in itertools.permutations([("first", one), ("second", other)])
    ]


def test_an_overlap_leaves_the_other_feeds_alone(tmp_path):
    for name, prefix in {"aaa": "orders/", "orders": "orders/", "shops": "orders/shops/", "zeta": "zeta/"}.items():
        write(tmp_path, f"prefix: {prefix}\nstart: 2026-01-01\n", f"{name}.yaml")
    feeds, errors = load_feeds(tmp_path)
    assert [feed.name for feed in feeds] == ["zeta"]
    assert [error.file for error in errors] == ["aaa.yaml", "orders.yaml", "shops.yaml"]


def test_prefixes_that_only_look_alike_do_not_overlap(tmp_path):
    write(tmp_path, "prefix: a/\nstart: 2026-01-01\n", "first.yaml")
    write(tmp_path, "prefix: ab/\nstart: 2026-01-01\n", "second.yaml")
    assert len(load_feeds(tmp_path)[0]) == 2


@given(KEYS)
def test_a_key_is_a_feeds_only_under_its_prefix_and_as_a_whole(key):
    anything = feed_of("orders")
    assert anything.matches("orders/" + key)
    assert anything.matches(key) == (key.startswith("orders/") and key != "orders/")


@pytest.mark.parametrize(
    ("key", "matches"),
    [
        ("weather/2026-01-02/oslo.csv", True),
        ("weather/2026-01-02/oslo.csv.tmp", False),
        ("weather/x/2026-01-02/oslo.csv", False),
        ("weather/2026-01-02/a/oslo.csv", False),
        ("other/2026-01-02/oslo.csv", False),
        ("weather/2026-01-02/o\nslo.csv", True),
    ],
)
def test_the_pattern_matches_the_whole_rest_of_the_key(key, matches):
    assert WEATHER.matches(key) is matches


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("weather/2026-01-02/oslo.csv", datetime(2026, 1, 2, tzinfo=UTC)),
        ("weather/2026-13-45/oslo.csv", MODIFIED),
        ("weather/elsewhere", MODIFIED),
    ],
)
def test_a_files_time_is_the_date_in_its_key_else_its_last_modified(key, expected):
    assert WEATHER.file_time(key, MODIFIED) == expected


@pytest.mark.parametrize(
    ("pattern", "date_format", "key", "expected"),
    [
        (r"(?P<date>\d{10})\.csv", "%Y%m%d%H", "2026010203.csv", datetime(2026, 1, 2, 3, tzinfo=UTC)),
        (r"(?P<date>\d\d\.\d\d\.\d{4})\.csv", "%d.%m.%Y", "02.01.2026.csv", datetime(2026, 1, 2, tzinfo=UTC)),
        (r"(?P<date>\d+-\d+-\d{4})/.*", "%-d-%-m-%Y", "2-1-2026/a", datetime(2026, 1, 2, tzinfo=UTC)),
        (r"(?P<date>\d{4}\w{3}\d\d)", "%Y%b%d", "2026Jan02", datetime(2026, 1, 2, tzinfo=UTC)),
        (r"(?P<date>[^/]+)/.*", "%Y-%m-%dT%H%z", "2026-01-02T00+0100/a", datetime(2026, 1, 1, 23, tzinfo=UTC)),
        (
            r"(?P<date>year=\d+/month=\d+/day=\d+)/.*",
            None,
            "year=2026/month=01/day=02/a",
            datetime(2026, 1, 2, tzinfo=UTC),
        ),
        (r"((?P<date>\d{8})/)?.*", None, "20260102/a", datetime(2026, 1, 2, tzinfo=UTC)),
        (r"((?P<date>\d{8})/)?.*", None, "a", MODIFIED),
    ],
)
def test_a_date_in_a_key_is_read_in_the_form_that_the_feed_tells(pattern, date_format, key, expected):
    feed = feed_of(pattern=pattern, date_format=date_format)
    assert feed.mismatch(f"orders/{key}") == ""
    assert feed.file_time(f"orders/{key}", MODIFIED) == expected


@pytest.mark.parametrize(
    ("pattern", "fields", "key", "why"),
    [
        (r"(?P<date>\d{8})\.csv", {}, "31122026.csv", "the date in its key, '31122026', isn't of the form"),
        (r"(?P<date>\d{8})\.csv", {}, "20260230.csv", "the date in its key, '20260230', isn't of the form"),
        (r"(?P<date>[^/]+)/.*", {"date_format": "%d.%m.%Y"}, "2026-01-02/a", "isn't of the form '%d.%m.%Y'"),
        (r".*(?P<date>\d{8})\.csv", {"day_prefix": "%Y/"}, "2025/20260102.csv", "doesn't begin with its day as '%Y/'"),
        (r"(.*(?P<date>\d{8}))?\.csv", {"day_prefix": "%Y/"}, ".csv", "doesn't begin with its day as '%Y/'"),
        (r".*\.csv", {}, "wrong.CSV", "doesn't match `.*"),
    ],
)
def test_a_key_whose_date_cannot_be_read_is_no_file_of_the_feed_and_it_is_said_why(pattern, fields, key, why):
    feed = feed_of(pattern=pattern, **fields)
    assert why in feed.mismatch(f"orders/{key}")
    assert not feed.matches(f"orders/{key}")


def test_what_is_no_feed_file_is_told_and_leaves_the_feeds_alone(tmp_path):
    write(tmp_path, LEAST)
    write(tmp_path, "prefix: returns/\nstart: 2026-01-01\n", "returns.yml")
    (tmp_path / "more").mkdir()
    write(tmp_path, "", ".gitkeep")
    write(tmp_path, "", "README")
    feeds, errors = load_feeds(tmp_path)
    assert [feed.name for feed in feeds] == ["orders"]
    assert [str(error).partition(": expected nothing but feed files here: NAME.yaml")[0] for error in errors] == [
        "README",
        "more",
        "returns.yml",
    ]


def test_files_from_before_the_start_are_history():
    assert WEATHER.is_history(datetime(2026, 1, 1, 23, 59, tzinfo=UTC))
    assert not WEATHER.is_history(datetime(2026, 1, 2, tzinfo=UTC))


@given(st.sampled_from(sorted(FARGATE_MEMORY)), st.integers(1, 200_000))
def test_larger_memory_is_the_smallest_that_fargate_offers_and_suffices(vcpu, wanted):
    feed = feed_of(vcpu=vcpu, memory=FARGATE_MEMORY[vcpu][0])
    found = feed.larger_memory(wanted)
    assert found in FARGATE_MEMORY[vcpu]
    assert found >= wanted or found == max(FARGATE_MEMORY[vcpu])
    assert not any(wanted <= size < found for size in FARGATE_MEMORY[vcpu])


@pytest.mark.parametrize("name", ["password", "slack_token", "api_key", "apikey", "client_secret", "Credentials"])
def test_a_notifiers_arguments_are_no_place_for_secrets(name):
    with pytest.raises(ValidationError, match="name a connection of Airflow's"):
        Notifier(notifier="a.b.C", arguments={name: "x"})


@pytest.mark.parametrize("path", ["C", "a b.C", "a.b.C()", "../a.C", "a..C", ""])
def test_a_notifier_is_an_import_path(path):
    with pytest.raises(ValidationError):
        Notifier(notifier=path)
