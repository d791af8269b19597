"""What AWS's services do by themselves, such as EventBridge that sends to a queue: told to whoever records it.

Such calls are no requests of anybody's, so that no role's policy is asked: the policies of queues, topics, keys and
roles' trust are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Told = Mapping[str, Any]

_listeners: list[Callable[[Told], None]] = []


def listen(listener: Callable[[Told], None]) -> None:
    """Have a function told of every call from now on."""
    _listeners.append(listener)


def tell(service: str, action: str, resource: str, **context: str) -> None:
    """Tell of a call.

    Args:
        service: the principal, such as `events` for events.amazonaws.com.
        action: IAM's name for it.
        resource: its ARN.
        context: what conditions may ask about: `SourceArn` for aws:SourceArn, and so on.
    """
    told = {f"aws:{name}": value for name, value in context.items()}
    for listener in _listeners:
        listener({"by": f"{service}.amazonaws.com", "action": action, "resource": resource, "context": told})
