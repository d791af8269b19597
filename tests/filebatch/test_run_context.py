"""What a task learns of its run from Airflow."""

from datetime import UTC, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import httpx
import pytest
from airflow.sdk.api.client import ServerResponseError
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from filebatch import run_context
from filebatch.run_context import is_over

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_context(conf, params):
    dag_run = SimpleNamespace(
        dag_id="orders", run_id="r", run_type="manual", logical_date=NOW, run_after=NOW, clear_number=None, conf=conf
    )
    return {"dag_run": dag_run, "params": params}


@pytest.fixture(autouse=True)
def _zone_is_read_anew():
    run_context.airflow_zone.cache_clear()
    yield
    run_context.airflow_zone.cache_clear()


def test_what_conf_says_counts_even_where_airflow_keeps_it_from_params():
    run = run_context.run_of(a_context({"key": ["a"], "force": True}, {"force": False, "prefix": None}))
    assert run.params == {"key": ["a"], "force": True, "prefix": None}


def test_who_started_a_run_is_known_where_airflow_says_so():
    context = a_context({}, {})
    assert run_context.run_of(context).who is None
    context["dag_run"].triggering_user_name = "anna"
    assert run_context.run_of(context).who == "anna"


@pytest.mark.parametrize(("name", "zone"), [("utc", UTC), ("UTC", UTC), ("Europe/Berlin", ZoneInfo("Europe/Berlin"))])
def test_dates_are_taken_in_airflows_own_zone(monkeypatch, name, zone):
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TIMEZONE", name)
    assert run_context.run_of(a_context(None, {})).origin.zone == zone


def test_airflows_zone_may_be_the_systems(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TIMEZONE", "system")
    assert run_context.airflow_zone().utcoffset(NOW) == NOW.astimezone().utcoffset()


def told(status: int | None) -> AirflowRuntimeError:
    return AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": status}))


def answered(status: int) -> ServerResponseError:
    request = httpx.Request("GET", "http://airflow/dag-runs/f/r/state")
    return ServerResponseError("no", request=request, response=httpx.Response(status, request=request))


class Ti:
    """A task instance whose Airflow answers with a state, or raises."""

    def __init__(self, answer: str | Exception) -> None:
        self.answer = answer

    def get_dagrun_state(self, dag_id: str, run_id: str) -> str:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "over"),
    [
        ("success", True),
        ("failed", True),
        ("running", False),
        ("queued", False),
        (told(404), True),
        (answered(404), True),
        (told(500), False),
        (told(None), False),
        (answered(503), False),
    ],
)
def test_only_an_end_or_an_unknown_run_is_over(answer: str | Exception, over: bool) -> None:
    assert is_over(Ti(answer), "feed", "run") is over
