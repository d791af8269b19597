"""What of moto takes long for nothing: without this, more than half of the local AWS's CPU for a file.

moto 5.2.5 serializes an item of DynamoDB value by value along botocore's model, though it has all but bytes in the very
form of the answer. For each message that a queue takes or gives it counts those that are there, and asks for each of
them what time it is: the more wait, the longer it takes to add one.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any

import moto.core.serialize as moto_serialize
import moto.sqs.models as moto_sqs

_map_of_any_kind = moto_serialize.BaseJSONSerializer._serialize_type_map


def install() -> None:
    """Replace both."""
    moto_serialize.BaseJSONSerializer._serialize_type_map = _map
    moto_sqs.SQSBackend.is_message_valid_based_on_retention_period = _is_kept
    moto_sqs.Queue.messages = property(_messages)
    moto_sqs.Queue.approximate_number_of_messages_not_visible = property(_not_visible)
    moto_sqs.Queue.approximate_number_of_messages_delayed = property(_delayed)


def _map(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    if shape.value.name == "AttributeValue":
        self._default_serialize(serialized, {name: _wire(each) for name, each in value.items()}, shape, key)
    else:
        _map_of_any_kind(self, serialized, value, shape, key)


def _wire(value: Mapping[str, Any]) -> Mapping[str, Any]:
    ((kind, found),) = value.items()
    match kind:
        case "B":
            return {kind: base64.b64encode(found).decode()}
        case "BS":
            return {kind: [base64.b64encode(each).decode() for each in found]}
        case "L":
            return {kind: [_wire(each) for each in found]}
        case "M":
            return {kind: {name: _wire(each) for name, each in found.items()}}
    return value


def _is_kept(self: Any, queue_name: str, message: Any) -> bool:
    kept = self.get_queue(queue_name).message_retention_period  # seconds
    return bool(kept + message.sent_timestamp / 1000 > time.time())


def _messages(self: Any) -> list[Any]:
    now = time.time() * 1000
    return [each for each in self._messages if each.visible_at < now and each.delayed_until <= now]


def _not_visible(self: Any) -> int:
    now = time.time() * 1000
    return sum(each.visible_at >= now for each in self._messages)


def _delayed(self: Any) -> int:
    now = time.time() * 1000
    return sum(each.delayed_until > now for each in self._messages)
