"""Which files a run is responsible for, whichever way it came about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws import feed_of
from filebatch.core.errors import SelectionError
from filebatch.feeds.selection import Origin, Selection, select
from values import JSON, KEYS, MOMENTS

FEED = feed_of("weather", pattern=r"(?P<date>\d{4}-\d{2}-\d{2})/[^/]+\.csv")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = datetime(2026, 1, 2, tzinfo=UTC)
WINDOW = Origin("backfill", DAY, NOW, DAY, DAY + timedelta(days=1))
KEY = "weather/2026-01-02/oslo.csv"


def params(**given):
    return {"keys": None, "prefix": None, "pattern": None, "from": None, "to": None, "force": False, **given}


@pytest.mark.parametrize(
    ("origin", "sweep"),
    [
        (Origin("asset_triggered", None, NOW, None, None), False),
        (Origin("scheduled", NOW, NOW, NOW - timedelta(minutes=15), NOW), True),
        (Origin("manual", NOW, NOW, DAY, NOW), True),
        (Origin("manual", None, NOW, None, None), True),
        (Origin("scheduled", NOW - timedelta(days=3), NOW, DAY, NOW), True),
        (Origin("manual", NOW - timedelta(minutes=59), NOW, DAY, NOW), True),
    ],
)
def test_a_live_run_takes_all_that_waits_and_sweeps_unless_an_event_rang(origin, sweep):
    found = select(FEED, origin, params())
    assert found.everything
    assert found.sweep is sweep
    assert str(found) == "all that waits"


@pytest.mark.parametrize("origin", [WINDOW, replace(WINDOW, run_type="manual")])
def test_a_backfill_or_a_date_in_the_past_takes_its_interval_and_nothing_else(origin):
    found = select(FEED, origin, params())
    assert (found.start, found.end) == (DAY, DAY + timedelta(days=1))
    assert not found.everything
    assert not found.sweep
    assert not found.force


def test_params_come_before_the_interval():
    found = select(FEED, WINDOW, params(keys=[KEY]))
    assert found == Selection(keys=(KEY,))


@pytest.mark.parametrize(
    ("given_params", "expected"),
    [
        ({"keys": [KEY, KEY]}, Selection(keys=(KEY,))),
        ({"keys": [KEY], "force": True}, Selection(keys=(KEY,), force=True)),
        ({"prefix": "weather/2026-01"}, Selection(prefix="weather/2026-01")),
        ({"prefix": "wea"}, Selection(prefix="wea")),
        ({"pattern": r".*oslo\.csv"}, Selection(prefix="weather/", pattern=r".*oslo\.csv")),
        ({"from": "2026-01-02"}, Selection(prefix="weather/", start=DAY)),
        (
            {"from": "2026-01-02T01:00:00+01:00", "to": "2026-01-03", "force": True},
            Selection(prefix="weather/", start=DAY, end=DAY + timedelta(days=1), force=True),
        ),
    ],
)
def test_what_params_say_is_what_is_selected(given_params, expected):
    assert select(FEED, WINDOW, params(**given_params)) == expected


@pytest.mark.parametrize(
    ("given_params", "field", "expected"),
    [
        ({"keys": "weather/x"}, "keys", "a list of object keys"),
        ({"keys": [1]}, "keys", "a list of object keys"),
        ({"keys": [""]}, "keys", "a list of object keys"),
        ({"keys": ["other/x.csv"]}, "keys", "keys under 'weather/' that match the feed's pattern"),
        ({"keys": ["weather/x.csv"]}, "keys", "keys under 'weather/' that match the feed's pattern"),
        ({"keys": [KEY], "prefix": "weather/"}, "keys", "either keys, or prefix"),
        ({"prefix": 7}, "prefix", "text"),
        ({"prefix": "other/"}, "prefix", "a prefix under the feed's 'weather/'"),
        ({"pattern": "("}, "pattern", "a regular expression"),
        ({"pattern": "a{99999999999}"}, "pattern", "a regular expression"),
        ({"pattern": 7}, "pattern", "text"),
        ({"from": "soon"}, "from", "a date or time such as 2026-01-02"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "from", "a date or time such as 2026-01-02"),
        ({"to": 7}, "to", "a date or time such as 2026-01-02"),
        ({"from": "2026-01-02", "to": "2026-01-02"}, "to", "a time later than from"),
        ({"force": "yes"}, "force", "true or false"),
        ({"force": True}, "force", "keys, prefix, pattern, from or to beside it"),
    ],
)
def test_a_param_that_is_wrong_is_named(given_params, field, expected):
    with pytest.raises(SelectionError, match=f"^param '{field}': expected ") as error:
        select(FEED, WINDOW, params(**given_params))
    assert expected in str(error.value)
    assert error.value.field == field


NAMES = st.sampled_from(["keys", "prefix", "pattern", "from", "to", "force"])
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
    window = Selection(start=DAY, end=DAY + timedelta(days=1))
    assert window.takes(key, moment) == (DAY <= moment < DAY + timedelta(days=1))


@given(MOMENTS)
def test_windows_side_by_side_take_each_file_once(moment):
    edges = [datetime(year, 1, 1, tzinfo=UTC) for year in range(1970, 2102)]
    windows = [Selection(start=start, end=end) for start, end in pairwise(edges)]
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
    assert str(Selection(keys=("a", "b"), force=True)) == "2 named keys, done ones again"
    assert str(Selection(prefix="a/", start=DAY)) == "files 'a/' '' from 2026-01-02T00:00:00.000Z"
