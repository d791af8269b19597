"""Tasks' logs: what fails for a reason that is known says it in a sentence; anything else shows where it came from."""

import io
import json
import logging
import warnings

import pytest
import structlog
from airflow.sdk._shared.logging.structlog import structlog_processors
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from filebatch import task_log
from filebatch.core.errors import ConfigurationError, MoveRefused, SelectionError
from filebatch.task_log import Failed, TryAgain, plainly


@pytest.fixture
def log():
    """A task's log as Airflow writes it, and what was written."""
    shared, _, last = structlog_processors(json_output=True)
    written = io.BytesIO()
    before = structlog.get_config()
    factory = structlog.BytesLoggerFactory(written)
    structlog.configure(
        processors=[*shared, last], logger_factory=factory, wrapper_class=structlog.make_filtering_bound_logger(20)
    )
    task = structlog.get_logger("task")
    task.info("the task begins")
    task_log.without_noise()
    yield lambda: (task, [json.loads(line) for line in written.getvalue().splitlines()][1:])
    structlog.configure(**before)


class Task:
    def __init__(self, error=None):
        self.error = error

    @plainly
    def execute(self, context):
        if self.error:
            raise self.error
        return context


def failure(error, log):
    """Fail as a task does; return what its log has of it."""
    try:
        Task(error).execute({})
    except Exception:  # noqa: BLE001 - as a task runner does
        log()[0].exception("Task failed with exception")
    (event,) = log()[1]
    return event


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ConfigurationError("no queue: terraform apply"), Failed),
        (SelectionError("keys", "a list", 1), Failed),
        (MoveRefused("somebody else did"), TryAgain),
        (Failed("2 files of 3"), Failed),
        (TryAgain("held by others"), TryAgain),
    ],
)
def test_a_reason_that_is_known_is_a_sentence_without_frames(error, raised, log):
    with pytest.raises(raised, match=str(error).replace("[", "\\[")):
        Task(error).execute({})
    event = failure(error, log)
    assert event["event"] == f"failed: {error}"
    assert event["level"] == "error"
    assert "error_detail" not in event
    assert "exception" not in event


@pytest.mark.parametrize("error", [ValueError("x"), AirflowException("not ours"), AirflowFailException("nor this")])
def test_what_nobody_expected_shows_where_it_came_from(error, log):
    event = failure(error, log)
    assert "execute" in json.dumps(event)
    assert event["event"] == "Task failed with exception"


def test_only_what_no_other_try_changes_ends_the_task_at_once():
    assert issubclass(Failed, AirflowFailException)
    assert issubclass(TryAgain, AirflowException)
    assert not issubclass(TryAgain, AirflowFailException)


def test_a_step_keeps_its_answer_and_its_name():
    assert Task().execute(7) == 7
    assert Task.execute.__name__ == "execute"


def test_what_airflow_tells_its_own_providers_is_left_out_and_other_warnings_arent():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        task_log.quiet_clients()
        warnings.warn("ProvidersManager.hooks is deprecated. Use another.", DeprecationWarning, stacklevel=1)
        warnings.warn("something else is deprecated", DeprecationWarning, stacklevel=1)
    assert [str(each.message) for each in seen] == ["something else is deprecated"]


def test_clients_dont_tell_where_their_address_came_from(log):
    task_log.without_noise()
    for name in task_log.CHATTY:
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
        assert logging.getLogger(name).isEnabledFor(logging.WARNING)
