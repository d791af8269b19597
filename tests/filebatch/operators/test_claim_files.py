"""Whether a run is over, as Airflow tells it: on a worker through the supervisor, in `airflow dags test` directly."""

import httpx
import pytest
from airflow.sdk.api.client import ServerResponseError
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from filebatch.operators.claim_files import is_over


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
