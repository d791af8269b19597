"""What happened, in order: every call for telling whether two histories are the same, and a story for people."""

import hashlib
from collections.abc import Callable
from typing import Any

from filebatch_local.base.faults import Fault

SHOWN = ("Key", "jobName", "jobs", "QueueUrl", "Subject", "jobId")


class Trace:
    """Remembers a simulation."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.seconds = seconds
        self.calls = 0
        self.story: list[str] = []
        self.every: list[str] | None = None  # all calls too, where somebody asks for them
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def call(self, actor: str, service: str, operation: str, request: dict[str, Any], fault: Fault | None) -> None:
        self.calls += 1
        line = f"{self.seconds():.3f} {actor}: {service}.{operation} {fault.name if fault else ''}"
        self._digest.update(line.encode())
        if fault:
            self.tell(f"{actor}: {service}.{operation} {_on(request)}was {fault.meaning}")
        elif self.every is not None:
            self.every.append(f"{self._at()}  {line} {_on(request)}")
            self.story.append(self.every[-1])

    def tell(self, line: str) -> None:
        """Tell something that matters to people."""
        self._digest.update(line.encode())
        self.story.append(f"{self._at()}  {line}")

    def _at(self) -> str:
        seconds = int(self.seconds())
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _on(request: dict[str, Any]) -> str:
    found = [_short(request[name]) for name in SHOWN if name in request]
    return f"of {found[0]} " if found else ""


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "/".join(str(part).rsplit("/", 1)[-1] for each in value.values() for part in each.values())
    return str(value).rsplit("/", 1)[-1] if not isinstance(value, list) else str(value)
