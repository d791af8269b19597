"""A system for each test module, and what its tests share."""

from collections.abc import Iterator

import pytest

from demo.subscriber import Subscriber, subscribe
from e2e.steps import finish
from e2e.system import LINES, PROGRAMS, System, system
from filebatch.feeds.feed import Feed, load_feed


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with system(tmp_path_factory.mktemp("e2e"), feeds=[LINES, PROGRAMS]) as running:
        yield running


@pytest.fixture(scope="module")
def inbox(here: System) -> Subscriber:
    return subscribe(here.client("sns"), here.client("sqs"), here.aws.settings["topics"])


@pytest.fixture(scope="session")
def lines() -> Feed:
    return load_feed(LINES)


@pytest.fixture
def inside(here: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is one of the system's."""
    for name, value in here.variables.items():
        if name.startswith(("AWS_", "AIRFLOW_VAR_", "AIRFLOW_CONN_")):
            monkeypatch.setenv(name, value)


@pytest.fixture
def audited(here: System, inside: None) -> Iterator[None]:
    """After the test the audit finds nothing, and nothing waits for the next; this process is one of the system's."""
    yield
    finish(here)
    found = here.audit()
    assert found.startswith("lost=0 doubled=0 untrue=0 "), found
