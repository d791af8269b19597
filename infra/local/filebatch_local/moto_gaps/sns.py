"""Messages that people can read: moto keeps what was published to itself, and nobody's mailbox is here.

Each message is appended to a text file as its reader by e-mail would get it: topic, subject, the text for people.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import moto.sns.models as moto_sns


def install(file: Path) -> None:
    """Begin the file anew, readable for its owner alone, and have each message appended to it."""
    file.unlink(missing_ok=True)
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    class Topic(moto_sns.Topic):  # type: ignore[misc]  # moto's classes are untyped here
        """A topic whose messages are written down, too."""

        def publish(self, message: str, subject: str | None = None, **more: Any) -> str:
            """Publish, and write down."""
            with file.open("a", encoding="utf-8") as messages:
                messages.write(text(self.name, subject, message, structured=more.get("message_structure") == "json"))
            return str(super().publish(message, subject=subject, **more))

    moto_sns.Topic = Topic


def text(topic: str, subject: str | None, message: str, *, structured: bool) -> str:
    """Return a message as people get it; of one with a text for each protocol the one for people."""
    body = json.loads(message)["default"] if structured else message
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return f"--- {now} {topic}\nSubject: {subject or ''}\n\n{body}\n\n"
