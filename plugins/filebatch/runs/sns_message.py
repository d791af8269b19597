"""A summary as an SNS message, within SNS's limits.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from filebatch.runs.summary import Summary

MAX_SUBJECT = 100
MAX_MESSAGE = 256 * 1024
DATA_PROTOCOLS = ("sqs", "lambda", "http", "https", "firehose")


def publish(sns: Any, topic: str, summary: Summary) -> None:
    """Send one summary to one topic, with as many of its files as a message has room for."""
    summary = fitting(summary)
    sns.publish(
        TopicArn=topic,
        Subject=subject(summary.subject),
        Message=message(summary.text, summary.to_json()),
        MessageStructure="json",
        MessageAttributes=attributes(summary.attributes),
    )


def subject(text: str) -> str:
    """Return text as a legal subject: ASCII, one line, at most 100 characters, not empty."""
    flat = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    ascii_only = flat.encode("ascii", "replace").decode()
    short = ascii_only if len(ascii_only) <= MAX_SUBJECT else ascii_only[: MAX_SUBJECT - 3] + "..."
    return short or "filebatch"


def message(text: str, document: Mapping[str, Any]) -> str:
    """Return a message that people get as text and programs as JSON, bounded to what SNS takes.

    Where both together are too large, the text is cut: programs have the whole document, people the manifest's place.
    """
    data = json.dumps(document)
    while text and len(_structured(text, data)) > MAX_MESSAGE:
        text = text[: max(0, len(text) - max(1000, len(text) // 4))].rstrip() + "\n… cut"
        if text == "\n… cut":
            break
    return _structured(text, data)


def fitting(summary: Summary) -> Summary:
    """Return a summary with so few files that its text and its document fit a message whole; the rest is counted."""
    while summary.files and len(_structured(summary.text, json.dumps(summary.to_json()))) > MAX_MESSAGE:
        summary = summary.shorter()
    return summary


def attributes(values: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return message attributes for filter policies; booleans are text, as a Number they could not be matched.

    SNS takes no empty ones: they are left out.
    """
    return {name: _attribute(value) for name, value in values.items() if value not in (None, "")}


def _attribute(value: Any) -> dict[str, str]:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return {"DataType": "Number", "StringValue": str(value)}
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return {"DataType": "String", "StringValue": text}


def _structured(text: str, data: str) -> str:
    return json.dumps({"default": text or data, **dict.fromkeys(DATA_PROTOCOLS, data)})
