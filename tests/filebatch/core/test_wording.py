"""Words of strangers, made fit for people's eyes."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from linkify_it import LinkifyIt

from filebatch.core.wording import MAX_NAME, MAX_SENTENCE, plain, quoted
from values import KEYS

# What a mail client would make a link of, by a library that is not ours.
CLIENT = LinkifyIt(options={"fuzzy_link": True, "fuzzy_email": True, "fuzzy_ip": True})

LINKS = (
    "http://evil.example/x",
    "HTTPS://EVIL.COM",
    "ftp://files.evil.com",
    "www.evil.com",
    "evil.com/login.csv",
    "evil.com:8080/x",
    "evil.csv.com",
    "mailto:me@evil.com",
    "me@evil.com",
    "//evil.com/x",
    "http://10.0.0.1/x",
    "10.0.0.1/x",
    "me@10.0.0.1",
    "пример.рф",
    "é.com",
    "evil.xn--p1ai",
)
NOT_SEEN = ("\x00", "\n", "\r", "\x1b[2J", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff")
NOT_SEEN_EITHER = ("\u00ad", "\u3164", "\ufe0f", "\u2800", "\u034f", "\U000e0041", "\ud800")
PIECES = (
    *LINKS,
    *NOT_SEEN,
    *NOT_SEEN_EITHER,
    "://",
    ":",
    ".",
    "/",
    "\\",
    "\\\\",
    "'",
    "[",
    "]",
    "@",
    " ",
    "x",
    "1",
    "com",
)
TEXTS = st.text() | KEYS | st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@given(TEXTS, st.integers(1, 60) | st.just(MAX_SENTENCE))
@example("x" * 5000, MAX_SENTENCE)
@example("]//evil.com", MAX_SENTENCE)
def test_any_text_becomes_one_bounded_line_that_hides_nothing_and_links_nowhere(text, limit):
    found = plain(text, limit)
    assert len(found) <= limit
    assert found.isprintable()
    assert not [sign for sign in found if unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert not [sign for sign in NOT_SEEN_EITHER if sign in found]
    assert not re.search(r"://|\\\\|mailto:\S", found)


@given(TEXTS)
def test_what_is_plain_stays_as_it_is(text):
    assert plain(plain(text)) == plain(text)


@given(TEXTS)
def test_a_quoted_name_ends_only_where_it_ends(name):
    found = quoted(name)
    inside = found.removeprefix("'").removesuffix("'")
    assert len(found) == len(inside) + 2
    assert "'" not in inside.replace("\\'", "")
    assert len(found) <= 2 * MAX_NAME + 2


@pytest.mark.parametrize("text", LINKS)
def test_a_mail_client_makes_no_link_of_it(text):
    assert CLIENT.match(text), "the client would not have made a link of this anyway"
    for within in (text, f"orders/{text}", f"see {text} now", f"'{text}'", f"a\u200b{text}\n"):
        assert not CLIENT.match(plain(within))
        assert not CLIENT.match(quoted(within))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://evil.example/x", "http[:]//evil[.]example/x"),
        ("mailto:me@evil.com", "mailto[:]me@evil[.]com"),
        ("\\\\server\\share", "[\\]\\server\\share"),
        ("//server/share", "[/]/server/share"),
        ("orders.zip", "orders[.]zip"),
        ("a\x1b[1m\nb\u202e", "a\\x1b[1m\\nb\\u202e"),
        ("x" * 1001, "x" * 999 + "…"),
    ],
)
def test_what_is_broken_can_still_be_read(text, shown):
    assert plain(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "orders/2026-01-02/a.csv.gz",
        "data v1.2.parquet",
        "größe 数据 🦆.json",
        "line 3, column 'price': expected decimal(10,2), found text of 24 characters",
        "Error -3 while decompressing data: invalid block type",
        "at 2026-01-02T12:30:00.000Z",
        "User: arn:aws:sts::123456789012:assumed-role/job is not authorized to perform: s3:GetObject",
    ],
)
def test_harmless_words_stay_as_they_are(text):
    assert plain(text) == text


def test_in_a_name_a_backslash_of_its_own_is_told_from_an_escape():
    assert (quoted("a\\nb"), quoted("a\nb"), quoted("it's")) == ("'a\\x5cnb'", "'a\\nb'", "'it\\'s'")
