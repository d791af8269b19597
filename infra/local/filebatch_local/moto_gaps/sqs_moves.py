"""Message moves of SQS: what gives a dead-letter queue's messages back. moto 5.2.5 has none.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult
from moto.sqs.exceptions import QueueDoesNotExist, SQSException
from moto.sqs.responses import SQSResponse

MOST_A_SECOND = 500


@dataclass
class Move:
    """A task that moves the messages that a queue had when it began.

    Attributes:
        queues: the queues of its account and region.
        source: the dead-letter queue.
        to: the queue that gets the messages; None for those that they came from.
        rate: messages a second, None for as many as can be.
        handle: its name.
        status: RUNNING, COMPLETED, CANCELLED or FAILED.
        reason: why it failed.
    """

    queues: Any
    source: Any
    to: Any = None
    rate: int | None = None
    handle: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: int = field(default_factory=lambda: int(time.time() * 1000))
    status: str = "RUNNING"
    moved: int = 0
    reason: str | None = None

    def __post_init__(self) -> None:
        self._messages = list(self.source.messages)
        self._cancelled = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def cancel(self) -> None:
        """Move no further message."""
        self.status = "CANCELLED"
        self._cancelled.set()

    def described(self) -> dict[str, Any]:
        """Return it as ListMessageMoveTasks does: what isn't there is left out."""
        found = {
            "TaskHandle": self.handle if self.status == "RUNNING" else None,
            "Status": self.status,
            "SourceArn": self.source.queue_arn,
            "DestinationArn": self.to and self.to.queue_arn,
            "MaxNumberOfMessagesPerSecond": self.rate,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": len(self._messages),
            "FailureReason": self.reason,
            "StartedTimestamp": self.started,
        }
        return {name: value for name, value in found.items() if value is not None}

    def _run(self) -> None:
        try:
            for message in self._messages:
                if self._cancelled.wait(1 / self.rate if self.rate else 0):
                    return
                self._move(message)
            self.status = "COMPLETED"
        except SQSException as error:
            self.status, self.reason = "FAILED", error.code

    def _move(self, message: Any) -> None:
        """Send a message anew: it has another id and time, and was never received. One that was deleted is gone."""
        if message not in self.source._messages:
            return
        if self.to is None and message.came_to == self.source.name:
            raise SQSException("CouldNotDetermineMessageSource", "it was sent to the dead-letter queue itself")
        self.queues.send_message(
            self.to.name if self.to else message.came_to,
            message.body,
            message.message_attributes,
            deduplication_id=message.deduplication_id,
            group_id=message.group_id,
            system_attributes=message.system_attributes,
        )
        with self.source._messages_lock, contextlib.suppress(ValueError):  # it may be deleted meanwhile
            self.source._messages.remove(message)
        self.moved += 1


_moves: list[Move] = []  # in the order of their starts


def _start(response: Any) -> Any:
    queues, source = _source(response)
    to = response._get_param("DestinationArn")
    rate = response._get_param("MaxNumberOfMessagesPerSecond")
    if rate is not None and not 1 <= rate <= MOST_A_SECOND:
        raise SQSException("InvalidParameterValue", f"expected 1 to {MOST_A_SECOND} messages a second, found {rate}")
    if not any(one.dead_letter_queue is source for one in list(queues.queues.values())):
        raise SQSException("AWS.SimpleQueueService.UnsupportedOperation", "the source is no queue's dead-letter queue")
    if any(one.source is source and one.status == "RUNNING" for one in _moves):
        raise SQSException("AWS.SimpleQueueService.UnsupportedOperation", "a move of the queue is running already")
    _moves.append(Move(queues, source, _at(queues, to) if to else None, rate))
    return ActionResult({"TaskHandle": _moves[-1].handle})


def _list(response: Any) -> Any:
    _, source = _source(response)
    newest = itertools.islice(
        (one for one in reversed(_moves) if one.source is source), response._get_param("MaxResults") or 1
    )
    return ActionResult({"Results": [one.described() for one in newest]})


def _cancel(response: Any) -> Any:
    handle = response._get_param("TaskHandle")
    found = next((one for one in _moves if one.handle == handle and one.status == "RUNNING"), None)
    if found is None:
        raise _not_found("task that runs")
    found.cancel()
    return ActionResult({"ApproximateNumberOfMessagesMoved": found.moved})


def _source(response: Any) -> tuple[Any, Any]:
    return response.sqs_backend, _at(response.sqs_backend, response._get_param("SourceArn"))


def _at(queues: Any, arn: str) -> Any:
    try:
        return queues.get_queue(arn.rpartition(":")[2])
    except QueueDoesNotExist:
        raise _not_found("queue") from None


def _not_found(what: str) -> SQSException:
    return SQSException("ResourceNotFoundException", f"no such {what}")


ACTIONS: Mapping[str, Any] = {
    "start_message_move_task": _start,
    "list_message_move_tasks": _list,
    "cancel_message_move_task": _cancel,
}


def install() -> None:
    """Give moto the actions."""
    for name, action in ACTIONS.items():
        setattr(SQSResponse, name, action)
