r"""Words of strangers, made fit for people's eyes: S3 keys, and sentences that may hold parts of a file.

Mail clients, terminals and log viewers act on what they show. Here a character that can't be seen becomes an escape
(`\x1b`, `\u202e`), what would become a link is broken as in `http[:]//evil[.]example`, and all is bounded. Programs get
the exact text elsewhere: the ledger, and the JSON part of a message.

A key is any UTF-8 of up to 1,024 bytes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
"""

from __future__ import annotations

import re

MAX_SENTENCE = 1000  # characters
MAX_NAME = 400

# Printable by Unicode's categories, and yet nothing is seen of them.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# Suffixes of data that are no end of a host's name, so that `a.csv.gz` stays readable (.zip is one).
_DATA = r"(?:csv|tsv|tab|txt|json|ndjson|jsonl|parquet|xml|xlsx?|gz|gzip|zst|zstd)"
# Schemes that clients make links of without the two slashes.
_SCHEMES = (
    r"(?:mailto|tel|sms|sip|callto|skype|facetime|xmpp|news|file|data|javascript|vbscript|magnet|outlook|ms-[a-z-]+)"
)
_LINKS = (
    (re.compile(rf"({_SCHEMES}):(?=\S)|:(?=//)", re.IGNORECASE), r"\1[:]"),  # http://host, mailto:me
    (re.compile(r"([/\\])(?<!\]/)(?=\1)"), r"[\1]"),  # //host, \\host\share
    (re.compile(rf"(?<=\w)\.(?=[^\W\d_])(?!{_DATA}(?:\.{_DATA})*(?![\w.-]))", re.IGNORECASE), "[.]"),  # host.net, a@b.c
    (re.compile(r"(?<=\d)\.(?=\d+\.\d+\.\d)"), "[.]"),  # 10.0.0.1
)


def plain(text: str, limit: int = MAX_SENTENCE) -> str:
    """Return `text` as one line of at most `limit` characters that hides nothing and links nowhere.

    Made plain again it stays as it is.
    """
    shown = visible(text[: limit + 1])
    for link, broken in _LINKS:
        shown = link.sub(broken, shown)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def quoted(name: str, limit: int = MAX_NAME) -> str:
    """Return a name, as a rule an S3 key, made plain and within quotes that it can't end."""
    shown = plain(name.replace("\\", "\\x5c"), limit).replace("'", "\\'")
    return f"'{shown}'"


def visible(text: str) -> str:
    """Return `text` as one line, with an escape for each character that can't be seen."""
    return "".join(sign if _is_seen(sign) else _escape(sign) for sign in text)


def _is_seen(sign: str) -> bool:
    return sign.isprintable() and not _UNSEEN.match(sign)


def _escape(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")
