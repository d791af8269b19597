"""Times as filebatch writes them: UTC, ISO 8601, fixed width, so that text sorts as time does."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment, with time zone."""
    return datetime.now(UTC)


def to_iso(moment: datetime) -> str:
    """Write a moment with milliseconds: `2026-01-02T03:04:05.678Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_utc(written: str) -> datetime:
    """Read what `to_iso` wrote, or any ISO 8601 time; without a zone it is taken for UTC."""
    parsed = datetime.fromisoformat(written)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
