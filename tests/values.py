"""Strategies for filebatch's values: any key that S3 takes, any file version, unit and result."""

from typing import Any

from hypothesis import strategies as st

from filebatch.core import clock
from filebatch.core.contract import FileVersion, Output, Reason, Result, Unit, Work

# What a stranger's key may hold: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
NASTY = (
    "..",
    "../..",
    "/",
    "//",
    ".",
    "...",
    " ",
    "+",
    "%2F",
    "%",
    "'",
    '"',
    "`",
    "\\",
    "\0",
    "\x01",
    "\n",
    "\r",
    "\x7f",
)
NASTY_TOO = (
    "\x85",
    "\u2028",
    "\u202e",
    "é",
    "e\u0301",
    "🦆",
    "\U0010ffff",
    ".csv",
    ".tar.gz",
    "_result.json",
    "g1",
    "results/",
)

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def _fits(key: str) -> bool:
    return 1 <= len(key.encode()) <= 1024


KEYS = st.one_of(
    st.lists(st.sampled_from(NASTY + NASTY_TOO) | ANY_TEXT, min_size=1, max_size=12).map("".join),
    st.builds(lambda sign, times: sign * times, st.sampled_from(("a", "/", ".", "é", "🦆")), st.integers(1, 1024)),
).filter(_fits)

MOMENTS = st.datetimes(
    min_value=clock.parse_utc("1970-01-01").replace(tzinfo=None),
    max_value=clock.parse_utc("2100-01-01").replace(tzinfo=None),
    timezones=st.just(clock.parse_utc("1970-01-01").tzinfo),
)
TIMES = MOMENTS.map(clock.to_iso)
HEX = st.text("0123456789abcdef", min_size=32, max_size=32)

FILES = st.builds(
    FileVersion,
    bucket=st.sampled_from(("new-files", "other-files")),
    key=KEYS,
    version_id=st.just("null") | st.text("ABCdef012._", min_size=1, max_size=32),
    etag=HEX,
    size=st.integers(0, 50 * 2**30),
    last_modified=TIMES,
)
WORKS = st.builds(Work, FILES, TIMES, st.integers(1, 99), st.integers(1, 10))

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(max_size=5), JSON, max_size=3)
TOKENS = st.builds(
    lambda run, epoch: f"{run}-{epoch:04d}", st.text("0123456789abcdef", min_size=16, max_size=16), st.integers(1, 9999)
)

UNITS = st.builds(
    Unit,
    feed=st.sampled_from(("orders", "weather-eu")),
    claim=TOKENS,
    run_id=st.text(max_size=30),
    round=st.integers(1, 9),
    index=st.integers(0, 9999),
    processor=st.just("tabular"),
    options=OBJECTS,
    max_attempts=st.integers(1, 10),
    show_values=st.booleans(),
    files=st.lists(WORKS, max_size=3).map(tuple),
)
REASONS = st.builds(Reason, st.text(max_size=10), st.text(max_size=30), OBJECTS)
OUTPUTS = st.builds(Output, st.text(max_size=10), KEYS, st.integers(0, 2**40), HEX, st.none() | st.integers(0, 2**40))
RESULTS = st.builds(
    Result,
    feed=st.just("orders"),
    state=st.sampled_from(("SUCCEEDED", "INVALID")),
    work=WORKS,
    claim=TOKENS,
    run_id=st.text(max_size=30),
    job_id=st.text(max_size=40),
    outputs=st.lists(OUTPUTS, max_size=3).map(tuple),
    rows=st.none() | st.integers(0, 2**40),
    reason=st.none() | REASONS,
    quarantine=st.none() | KEYS,
    notes=OBJECTS,
    timings=st.dictionaries(st.sampled_from(("fetch", "process", "upload")), st.floats(0, 1e6)),
    used=st.none() | st.fixed_dictionaries({"vcpu_seconds": st.floats(0, 1e6), "gib_seconds": st.floats(0, 1e6)}),
    worker=st.just("0.1.0"),
    started_at=TIMES,
    committed_at=TIMES,
)
