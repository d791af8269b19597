"""People's patterns on strangers' keys: linear in time, and what they mean."""

import ast
import os
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws import ROOT
from filebatch.feeds import patterns

# Each takes Python's `re` longer than anybody waits.
EXPLOSIVE = [r"([A-Za-z0-9]+[-_ ]?)*\.csv", r"(a|a)*b", r"(a*)*b", r"(a|aa)+b", r"(.*)*\.csv", r"(\w+\s?)+\.csv"]
LONGEST = 1024  # bytes of a key: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html

ATOMS = st.sampled_from(
    ["a", "b", "0", "-", "/", r"\.", ".", r"\d", r"\D", r"\w", r"\W", "[a-c]", "[^/]", r"[\w-]", "[0-9_.]", "^", r"\b"]
)
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map("|".join).map("({})".format),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "*?", "+?", "{2}", "{0,2}", "{1,}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        inner.map("(?P<date>{})".format),
        inner.map("(?i:{})".format),
    ),
    max_leaves=8,
)
ASCII = st.text(st.sampled_from("abcAB0-_/. \n") | st.characters(max_codepoint=127), max_size=8)


def accepted(pattern: str) -> bool:
    try:
        re.compile(pattern)
        patterns.check(pattern)
    except (re.error, ValueError):
        return False
    return True


@given(PATTERNS.filter(accepted), ASCII)
def test_it_says_what_pythons_expressions_say(pattern, text):
    assert (patterns.fullmatch(pattern, text) is not None) == bool(re.fullmatch(pattern, text, re.DOTALL))


@given(st.text(max_size=12), st.text(st.characters(), max_size=12))
def test_any_pattern_is_refused_or_matches_any_text_or_does_not(pattern, text):
    try:
        patterns.check(pattern)
    except ValueError as error:
        assert str(error).startswith("a regular expression")
    else:
        assert patterns.fullmatch(pattern, text) in (None, {}) or patterns.groups(pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "here", "python"),
    [
        (r"\d", "\u0663", False, True),  # Arabic three
        (r"\w", "é", False, True),
        (r"\pL", "é", True, None),
        (r"\s", "\x0b", False, True),
        (r"a$\n", "a\n", False, True),
        (r"a\z", "a", True, None),
        (r"(?i)É", "é", True, True),
        (".", "\n", True, True),
        (".", "🦆", True, True),
        (".", "\ud800", False, True),
    ],
)
def test_where_it_differs_from_pythons_expressions_docs_feeds_md_says_so(pattern, text, here, python):
    assert (patterns.fullmatch(pattern, text) is not None) is here
    try:
        assert bool(re.fullmatch(pattern, text, re.DOTALL)) is python
    except re.error:  # Python 3.14 takes \z
        assert python is None


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"(?=a)b", "invalid perl operator: (?="),
        (r"(?<!a)b", "invalid perl operator: (?<"),
        (r"(a)\1", r"invalid escape sequence: \1"),
        ("a++", "bad repetition operator: ++"),
        ("(?>a)b", "invalid perl operator: (?>"),
        (r"a\Z", r"invalid escape sequence: \Z"),
        ("a{1001}", "invalid repetition size"),
        ("(x?[a-z]{0,1000}y?)" * 100, "pattern too large"),
        ("a{,3}", "not {,3}"),
        ("a{,}", "not {,}"),
        ("a{03}", "not {03}"),
        ("a{1,99999999999}", "not {1,99999999999}"),
        ("\ud800", "surrogates not allowed"),
        ("(", "missing )"),
    ],
)
def test_what_cannot_be_matched_in_linear_time_is_refused_with_the_reason(pattern, said):
    with pytest.raises(ValueError, match=r"^a regular expression") as error:
        patterns.check(pattern)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "text"), [(r"a\{,3\}", "a{,3}"), ("a{}", "a{}"), ("a{x}", "a{x}"), ("a{1,2}", "aa"), ("a{0,}", "aaa")]
)
def test_braces_are_repetitions_or_letters_as_in_pythons_expressions(pattern, text):
    patterns.check(pattern)
    assert patterns.fullmatch(pattern, text) == {}
    assert re.fullmatch(pattern, text)


LINEAR = {
    "feeds/patterns.py": ["re2.compile(pattern, options)"],
    "feeds/feed_text.py": ["re2.fullmatch(rule['pattern'], text)"],
    # AWS's own patterns, as botocore has them.
    "mwaa/requests.py": ["re.compile(text)"],
    # Never goes back behind a `*`.
    "tabular/frame.py": ["re.fullmatch(_linear(trailer), text, re.DOTALL)"],
    # Of a dialect's marks, escaped; its one repetition of a choice is possessive, so it never goes back.
    "tabular/layout.py": ["re.compile(b'|'.join(patterns), re.DOTALL)"],
    "tabular/json_numbers.py": [
        r"re.compile(b'\\\\u' + f'{ord(mark):04x}'.encode(), re.IGNORECASE)"
    ],  # one escape, no repetition
}


def in_time(code: str) -> str:
    """Run code in a process of its own, as a backtracking match ends neither by itself nor by a test's time-out."""
    command, folders = (
        [sys.executable, "-c", code],
        {"PYTHONPATH": ":".join(str(ROOT / folder) for folder in ("plugins", "tests", "infra/local"))},
    )
    ended = subprocess.run(
        command, env={**os.environ, **folders}, capture_output=True, text=True, check=False, timeout=30
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("pattern", [*EXPLOSIVE, "(x?[a-z]{0,1000}y?)" * 8])
def test_the_longest_key_takes_no_time_whatever_the_pattern(pattern):
    call = f"patterns.fullmatch({pattern!r}, 'a' * {LONGEST - 1} + '!')"
    assert in_time(f"from filebatch.feeds import patterns\nprint({call})") == "None\n"


def test_runs_sweeps_and_the_audit_match_keys_in_linear_time_too():
    told = in_time(f"""
from aws import NOW, feed_of
from filebatch.feeds.selection import Selection
key, feed = "orders/" + "a" * 36 + "!", feed_of("orders", pattern={EXPLOSIVE[0]!r})
selection = Selection(prefix="orders/", pattern=feed.pattern)
print(feed.matches(key), feed.file_time(key, NOW) == NOW, selection.takes(key, NOW))
""")
    assert told == "False True False\n"


def test_no_other_module_takes_an_expression_from_somebody_else():
    files = [file for folder in ("plugins", "worker", "infra/local", "dags") for file in (ROOT / folder).rglob("*.py")]
    assert len(files) > 80
    for file in files:
        functions = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)]
        calls = [node for function in functions for node in ast.walk(function) if isinstance(node, ast.Call)]
        compiled = [call for call in calls if ast.unparse(call.func).startswith(("re.", "re2."))]
        foreign = [ast.unparse(call) for call in compiled if call.args and not isinstance(call.args[0], ast.Constant)]
        foreign = [call for call in foreign if "re.escape(" not in call]
        assert foreign == LINEAR.get(f"{file.parent.name}/{file.name}", []), file


def test_named_groups_are_told():
    assert patterns.groups(r"(?P<date>\d+)-(?P<shop>\w+)?\.csv") == {"date", "shop"}
    assert patterns.fullmatch(r"(?P<date>\d+)-(?P<shop>\w+)?\.csv", "20260102-.csv") == {
        "date": "20260102",
        "shop": None,
    }


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (r"(?P<date>\d{4}-\d{2}-\d{2})/[a-z]+\.csv", "2026-01-02/A.csv", "2026-01-02/"),
        (r"(?P<date>\d{4}-\d{2}-\d{2})/[a-z]+\.csv", "2026_01.csv", "2026"),
        (r"(?P<date>\d{4}-\d{2}-\d{2})/[a-z]+\.csv", "2026-01-02/a.cs", "2026-01-02/a.cs"),
        (r"(shop|store)-\d+\.csv(\.gz)?", "store-x.csv", "store-"),
        (r"(shop|store)-\d+\.csv(\.gz)?", "store-7.csv.zip", "store-7.csv."),
        (r"a+b", "x", ""),
    ],
)
def test_it_is_told_up_to_where_a_text_fits(pattern, text, fits):
    assert text[: patterns.fits_until(pattern, text)] == fits


@pytest.mark.parametrize(
    ("pattern", "beginning", "may"),
    [
        ("abc", "abc", True),
        ("abc", "ab", True),
        ("abc", "abd", False),
        ("abc", "b", False),
        (".*", "anything", True),
        (".*x", "a", True),
    ],
)
def test_a_text_may_begin_as_some_match_does(pattern, beginning, may):
    assert patterns.may_begin(pattern, beginning) is may


def test_a_group_that_is_not_there_is_named():
    with pytest.raises(KeyError, match="date"):
        patterns.group("(a)", "date")


def test_what_is_wrong_with_a_pattern_is_raised_and_not_printed(capfd):
    with pytest.raises(ValueError, match="missing"):
        patterns.check("(")
    assert capfd.readouterr() == ("", "")
