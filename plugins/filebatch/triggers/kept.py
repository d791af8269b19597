"""What Airflow keeps of a trigger in its database, and makes it from again."""

from __future__ import annotations

import inspect
from typing import Any

from airflow.triggers.base import BaseTrigger


def kept(trigger: BaseTrigger) -> tuple[str, dict[str, Any]]:
    """Return a trigger's class path and arguments; each argument is an attribute of the same name."""
    kind = type(trigger)
    names = inspect.signature(kind.__init__).parameters.keys() - {"self"}
    return f"{kind.__module__}.{kind.__qualname__}", {name: getattr(trigger, name) for name in sorted(names)}
