"""Which files a run is responsible for, whichever way it came about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws import feed_of
from filebatch.core.errors import SelectionError
from filebatch.core.records import FileState
from filebatch.feeds import selection
from filebatch.feeds.selection import Origin, Selection
from filebatch.feeds.windows import Window
from values import JSON, KEYS, MOMENTS

FEED = feed_of("weather", schedule="0 0 * * *", pattern=r"(?P<date>\d{4}-\d{2}-\d{2})/[^/]+\.csv")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = datetime(2026, 1, 2, tzinfo=UTC)
WINDOW = Origin("backfill", DAY, NOW)
LIVE = Origin("manual", NOW, NOW)
WHOLE = Window(DAY, DAY + timedelta(days=1))
KEY = "weather/2026-01-02/oslo.csv"


def select(feed, origin, given):
    return selection.select(feed, origin, given, "new-files")


def params(**given):
    return {"keys": None, "prefix": None, "pattern": None, "from": None, "to": None, "force": False, **given}


@pytest.mark.parametrize(
    ("origin", "sweep"),
    [
        (Origin("asset_triggered", None, NOW), False),
        (Origin("scheduled", NOW, NOW), True),
        (Origin("manual", NOW, NOW), True),
        (Origin("manual", None, NOW), True),
        (Origin("scheduled", NOW - timedelta(days=3), NOW), True),
        (Origin("manual", NOW - timedelta(minutes=59), NOW), True),
    ],
)
def test_a_live_run_takes_all_that_waits_and_sweeps_unless_an_event_rang(origin, sweep):
    found = select(FEED, origin, params())
    assert found.everything
    assert found.sweep is sweep
    assert str(found) == "all files that wait"


@pytest.mark.parametrize("run_type", ["backfill", "manual"])
@pytest.mark.parametrize("force", [False, True])
def test_a_date_means_the_window_that_begins_there_however_the_run_came_about(run_type, force):
    found = select(FEED, replace(WINDOW, run_type=run_type), params(force=force))
    assert found == Selection(prefix="weather/", window=WHOLE, force=force)


def test_a_date_in_the_future_is_a_date_too():
    assert select(FEED, Origin("manual", NOW.replace(hour=0) + timedelta(days=3), NOW), params()).window == Window(
        datetime(2026, 3, 4, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
    )


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Auckland"])
def test_a_date_that_somebody_wrote_means_the_same_in_whatever_zone_airflow_took_it(zone):
    written = datetime(2026, 1, 2, tzinfo=ZoneInfo(zone))
    for asked in (written, DAY):
        assert select(FEED, Origin("manual", asked, NOW, ZoneInfo(zone)), params()).window == WHOLE


@pytest.mark.parametrize(
    ("given_params", "expected"),
    [
        ({"prefix": "weather/2026-01-02/o"}, Selection(prefix="weather/2026-01-02/o", window=WHOLE)),
        ({"pattern": ".*", "force": True}, Selection(prefix="weather/", pattern=".*", window=WHOLE, force=True)),
    ],
)
def test_a_date_and_what_narrows_it_compose(given_params, expected):
    assert select(FEED, WINDOW, params(**given_params)) == expected


@pytest.mark.parametrize(
    ("given_params", "expected"),
    [
        ({"keys": [KEY, KEY, ""]}, Selection(keys=(KEY,))),
        ({"keys": [KEY], "force": True, "wait": 60}, Selection(keys=(KEY,), force=True, wait=60)),
        ({"prefix": "weather/2026-01"}, Selection(prefix="weather/2026-01")),
        ({"prefix": "wea"}, Selection(prefix="wea")),
        ({"pattern": r".*oslo\.csv"}, Selection(prefix="weather/", pattern=r".*oslo\.csv")),
        ({"from": "2026-01-02"}, Selection(prefix="weather/", window=Window(DAY))),
        ({"from": "2026-01-02", "to": "2026-01-02"}, Selection(prefix="weather/", window=WHOLE)),
        ({"to": "2026-01-02"}, Selection(prefix="weather/", window=Window(None, WHOLE.end))),
        (
            {"from": "2026-01-02T01:00:00+01:00", "to": "2026-01-03T00:00", "force": True},
            Selection(prefix="weather/", window=WHOLE, force=True),
        ),
    ],
)
def test_what_params_say_is_what_is_selected(given_params, expected):
    assert select(FEED, LIVE, params(**given_params)) == expected


@pytest.mark.parametrize(
    ("given_params", "field", "expected"),
    [
        ({"key": [KEY]}, "key", "did you mean 'keys'?"),
        ({"forced": True}, "forced", "did you mean 'force'?"),
        ({"colour": None}, "colour", "one of the params keys, prefix"),
        ({"keys": []}, "keys", "at least one"),
        ({"keys": "weather/x"}, "keys", "its key doesn't match"),
        ({"keys": [f"s3://other/{KEY}"]}, "keys", "a URL that begins with s3://new-files/"),
        ({"prefix": "s3://other/weather/"}, "prefix", "a URL that begins with s3://new-files/"),
        ({"state": "DONE"}, "state", "one of ARRIVED, CLAIMED"),
        ({"state": ["FAILED"]}, "state", "one of ARRIVED, CLAIMED"),
        ({"code": ""}, "code", "text; null or nothing"),
        ({"since": "soon"}, "since", "a date or time such as 2026-01-02"),
        ({"reason": 7}, "reason", "a sentence"),
        ({"prefix": ""}, "prefix", "text; null or nothing"),
        ({"pattern": ""}, "pattern", "text; null or nothing"),
        ({"from": ""}, "from", "a date or time"),
        ({"keys": [KEY], "from": "2026-01-02"}, "keys", "no date, prefix"),
        ({"wait": 5}, "wait", "keys beside it"),
        ({"keys": [KEY], "wait": "5"}, "wait", "seconds"),
        ({"keys": [KEY], "wait": True}, "wait", "seconds"),
        ({"keys": [1]}, "keys", "a list of object keys"),
        ({"keys": [""]}, "keys", "a list of object keys"),
        ({"keys": ["other/x.csv"]}, "keys", "its key doesn't match"),
        ({"keys": ["weather/x.csv"]}, "keys", "its key doesn't match"),
        ({"keys": [KEY], "prefix": "weather/"}, "keys", "no date, prefix"),
        ({"prefix": 7}, "prefix", "text"),
        ({"prefix": "other/"}, "prefix", "a prefix under the feed's 'weather/'"),
        ({"pattern": "("}, "pattern", "a regular expression"),
        ({"pattern": "a{99999999999}"}, "pattern", "a regular expression"),
        ({"pattern": 7}, "pattern", "text"),
        ({"from": "soon"}, "from", "a date or time such as 2026-01-02"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "from", "a date or time such as 2026-01-02"),
        ({"to": 7}, "to", "a date or time such as 2026-01-02"),
        ({"from": "2026-01-02", "to": "2026-01-01"}, "to", "a day that isn't before from"),
        ({"force": "yes"}, "force", "true or false"),
        ({"force": True}, "force", "keys, prefix, pattern, from, to, state, code, since or a date beside it"),
    ],
)
def test_a_param_that_is_wrong_is_named(given_params, field, expected):
    with pytest.raises(SelectionError, match=f"^param '{field}': expected ") as error:
        select(FEED, LIVE, params(**given_params))
    assert expected in str(error.value)
    assert error.value.field == field


@pytest.mark.parametrize("given_params", [{"from": "2026-01-02"}, {"to": "2026-01-02"}, {"keys": [KEY]}])
def test_a_run_has_one_window_and_named_files_have_none(given_params):
    with pytest.raises(SelectionError):
        select(FEED, WINDOW, params(**given_params))


NAMES = st.sampled_from([*selection.PARAMS, "key", ""])
LIKELY = st.sampled_from(["weather/", "2026-01-02", KEY, ".*", "0001-01-01T00:00:00+14:00", "9999-12-31T23:00-14:00"])


@given(
    st.dictionaries(NAMES, JSON | LIKELY | st.lists(LIKELY | KEYS, max_size=3)), st.sampled_from(["manual", "backfill"])
)
def test_any_params_are_a_selection_or_a_selection_error(given_params, run_type):
    try:
        found = select(FEED, replace(WINDOW, run_type=run_type), given_params)
    except SelectionError as error:
        found = error
    assert str(found)


@given(KEYS, MOMENTS)
def test_a_window_takes_the_times_from_its_start_to_before_its_end(key, moment):
    window = Selection(window=WHOLE)
    assert window.takes(key, moment) == (DAY <= moment < DAY + timedelta(days=1))


@given(MOMENTS)
def test_windows_side_by_side_take_each_file_once(moment):
    edges = [datetime(year, 1, 1, tzinfo=UTC) for year in range(1970, 2102)]
    windows = [Selection(window=Window(start, end)) for start, end in pairwise(edges)]
    assert sum(window.takes("any", moment) for window in windows) == 1


@given(KEYS, KEYS)
def test_named_keys_are_taken_exactly(named, key):
    assert Selection(keys=(named,)).takes(key, NOW) == (key == named)


@pytest.mark.parametrize(
    ("key", "takes"),
    [("a/b/x.csv", True), ("a/b/x.csv.tmp", False), ("a/b/\n.csv", True), ("a/x.csv", False), ("z/a/b/x.csv", False)],
)
def test_a_pattern_matches_the_whole_rest_after_the_prefix(key, takes):
    assert Selection(prefix="a/b/", pattern=r".*\.csv").takes(key, NOW) is takes


def test_a_selection_says_itself_to_people():
    assert str(Selection(keys=("a", "b"), force=True)) == "2 named files; done ones again"
    assert str(Selection(prefix="a/", window=Window(DAY))) == "files from 2026-01-02 00:00 (UTC) under 'a/'"
    assert (
        str(Selection(prefix="a/", window=WHOLE, force=True)) == "files of 2026-01-02 (UTC) under 'a/'; done ones again"
    )
    assert str(Selection(prefix="a/", pattern=".*x", window=Window(DAY, WHOLE.end + timedelta(days=1)))) == (
        "files of 2026-01-02 to 2026-01-03, both included (UTC) under 'a/' that go on as '.*x'"
    )


A_TIME = "a date or time such as 2026-01-02 or 2026-01-02T03:04:05Z"
DATED = "nothing, as the run's date says already: files of 2026-01-02 (UTC)"


@pytest.mark.parametrize(
    ("origin", "given_params", "message"),
    [
        (LIVE, {"keys": 7}, "'keys': expected a list of object keys, at least one; null or nothing where none is"),
        (LIVE, {"keys": 7}, "meant, found 7"),
        (LIVE, {"keys": [KEY], "prefix": "weather/"}, "'keys': expected no date, prefix, pattern, from or to beside"),
        (LIVE, {"keys": [KEY], "prefix": "weather/"}, f"the keys, found ['{KEY}']"),
        (LIVE, {"keys": ["other/a"]}, ", found 'other/a'"),
        (LIVE, {"wait": 3}, "'wait': expected keys beside it, which are waited for, found 3"),
        (LIVE, {"wait": -1}, "'wait': expected seconds, 0 to 86400, found -1"),
        (LIVE, {"force": True}, "or a date beside it: everything isn't done again, found True"),
        (LIVE, {"force": "yes"}, "'force': expected true or false, found 'yes'"),
        (LIVE, {"prefix": 3}, "'prefix': expected text; null or nothing where none is meant, found 3"),
        (LIVE, {"prefix": "x/"}, "'prefix': expected a prefix under the feed's 'weather/', found 'x/'"),
        (LIVE, {"pattern": "("}, ", found '('"),
        (LIVE, {"from": "soon"}, f"'from': expected {A_TIME}, found 'soon'"),
        (LIVE, {"from": "2026-01-02", "to": "2026-01-01"}, "(2026-01-02T00:00:00.000Z), found '2026-01-01'"),
        (LIVE, {"prefux": 1}, ", found 1"),
        (WINDOW, {"from": "2026-01-03"}, f"'from': expected {DATED}, found '2026-01-03'"),
        (WINDOW, {"to": "2026-01-03"}, f"'to': expected {DATED}, found '2026-01-03'"),
        (WINDOW, {"from": "2026-01-03", "to": "2026-01-04"}, f"'from': expected {DATED}, found '2026-01-03'"),
    ],
)
def test_an_error_says_what_would_be_right_and_what_was_given(origin, given_params, message):
    with pytest.raises(SelectionError) as error:
        select(FEED, origin, {name: value for name, value in params(**given_params).items() if value is not None})
    assert message in str(error.value)


def test_more_keys_may_be_named_than_a_run_claims():
    feed = feed_of("orders", packing={"claim": 2})
    keys = ("orders/a", "orders/b", "orders/c")
    assert select(feed, LIVE, params(keys=list(keys))).keys == keys


OTHER = "weather/2026-01-03/oslo.csv"
URL = f"s3://new-files/{KEY}"


@pytest.mark.parametrize(
    ("pasted", "keys"),
    [
        ([f"  {KEY}\t"], (KEY,)),
        ([URL], (KEY,)),
        ([f" {URL} "], (KEY,)),
        ([f"{KEY}\n{OTHER}\n"], (KEY, OTHER)),
        ([f"{URL}\r\n  {OTHER}\n\n", KEY], (KEY, OTHER)),
        (f"{URL}\n{OTHER}", (KEY, OTHER)),
        (["weather/2026-01-02/a\nb.csv"], ("weather/2026-01-02/a\nb.csv",)),  # a key, as odd as it is
        (["weather/2026-01-02/ .csv"], ("weather/2026-01-02/ .csv",)),
    ],
    ids=str,
)
def test_what_people_paste_is_taken_as_they_meant_it(pasted, keys):
    assert select(FEED, LIVE, params(keys=pasted)).keys == keys


@pytest.mark.parametrize(
    ("given_params", "expected"),
    [
        ({"prefix": " s3://new-files/weather/2026 "}, Selection(prefix="weather/2026")),
        ({"from": " 2026-01-02 "}, Selection(prefix="weather/", window=Window(DAY))),
        ({"state": " failed "}, Selection(prefix="weather/", state=FileState.FAILED)),
        ({"code": " timeout"}, Selection(prefix="weather/", code="timeout")),
        ({"since": "2026-01-02"}, Selection(prefix="weather/", since=DAY)),
        ({"reason": " the station\n was wrong "}, Selection(sweep=True, reason="the station was wrong")),
        (
            {"keys": [KEY], "state": "FAILED", "reason": "x"},
            Selection(keys=(KEY,), state=FileState.FAILED, reason="x"),
        ),
        ({"state": "SUCCEEDED", "force": True}, Selection(prefix="weather/", state=FileState.SUCCEEDED, force=True)),
    ],
    ids=str,
)
def test_what_the_ledger_says_of_files_and_why_somebody_asks_are_params_too(given_params, expected):
    assert select(FEED, LIVE, params(**given_params)) == expected


def test_what_the_ledger_is_to_say_of_files_composes_with_a_date():
    found = select(FEED, WINDOW, params(code="timeout"))
    assert found == Selection(prefix="weather/", window=WHOLE, code="timeout")
    assert str(found) == "files of 2026-01-02 (UTC) under 'weather/', of these what is for the reason 'timeout'"


@pytest.mark.parametrize("seconds", [0, 1, 86_400])
def test_a_day_is_the_longest_wait(seconds):
    assert select(FEED, LIVE, {"keys": [KEY], "wait": seconds}).wait == seconds


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection(), "all files that wait"),
        (Selection(keys=("a",)), "1 named file"),
        (Selection(keys=("a", "b"), force=True), "2 named files; done ones again"),
        (Selection(prefix="a/"), "files under 'a/'"),
        (Selection(pattern="x"), "files under '' that go on as 'x'"),
        (Selection(prefix="a/", window=WHOLE), "files of 2026-01-02 (UTC) under 'a/'"),
    ],
)
def test_people_are_told_what_a_run_is_responsible_for(selection, said):
    assert str(selection) == said


@pytest.mark.parametrize("some", [{"keys": ("a",)}, {"prefix": "a"}, {"pattern": "a"}, {"window": WHOLE}])
def test_what_is_bounded_by_anything_is_not_everything(some):
    assert Selection().everything
    assert not Selection(**some).everything


def test_a_date_within_an_hour_of_now_means_now():
    hour = timedelta(hours=1)
    assert select(FEED, Origin("manual", NOW - hour, NOW), params()).everything
    assert not select(FEED, Origin("manual", NOW - hour - timedelta(seconds=1), NOW), params()).everything
