"""Tasks' logs for people: what fails for a reason that is known says it in a sentence, without frames of Python.

Airflow logs whatever ends a task with its traceback; of what filebatch itself raises that says nothing which the
message doesn't. https://www.structlog.org/en/stable/processors.html
"""

from __future__ import annotations

import functools
import logging
import sys
import warnings
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import structlog
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from filebatch.core.errors import ConfigurationError, FilebatchError, SelectionError

# Loggers that tell of each client where its address and its credentials came from.
CHATTY = ("botocore.configprovider", "botocore.credentials", "aiobotocore.credentials")

_Self = TypeVar("_Self")
_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


class Failed(AirflowFailException):
    """The task has failed for a reason that its message tells whole; no other try would change it."""


class TryAgain(AirflowException):
    """What keeps the task from its work, and may pass: Airflow tries again."""


def plainly(
    step: Callable[Concatenate[_Self, _Asked], _Answer],
) -> Callable[Concatenate[_Self, _Asked], _Answer]:
    """Have a task's step fail in plain words: at once where no other try can help, else for another try."""

    @functools.wraps(step)
    def told(self: _Self, *args: _Asked.args, **kwargs: _Asked.kwargs) -> _Answer:
        without_noise()
        try:
            return step(self, *args, **kwargs)
        except (ConfigurationError, SelectionError) as error:
            raise Failed(str(error)) from error
        except FilebatchError as error:
            raise TryAgain(str(error)) from error

    return cast("Callable[Concatenate[_Self, _Asked], _Answer]", told)


def without_noise() -> None:
    """Leave out of this process's logs what tells nobody anything. Done again it changes nothing."""
    quiet_clients()
    processors = structlog.get_config()["processors"]
    if without_frames not in processors:
        processors.insert(0, without_frames)  # in place, as loggers that exist have this list


def quiet_clients() -> None:
    """Have the makers of AWS clients log what is wrong alone; what Airflow tells its own providers is none of ours."""
    warnings.filterwarnings("ignore", "ProvidersManager.hooks is deprecated")
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def without_frames(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Return an event with a plain failure's message in the place of its traceback; any other as it is."""
    error = _error(event.get("exc_info"))
    if isinstance(error, (Failed, TryAgain)):
        del event["exc_info"]
        event["event"] = f"failed: {error}"
    return event


def _error(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        found: BaseException | None = exc_info[1]
        return found
    return sys.exc_info()[1] if exc_info else None
