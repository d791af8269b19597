"""One local AWS for all tests of a session, and a corner of it for each test; with `--in-memory` no test needs it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from hypothesis import HealthCheck, settings

import mean
from aws import Place
from filebatch_local.serve.background import LocalAws, local_aws

# Deadlines of single examples say more about the machine than about the code.
settings.register_profile("filebatch", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("filebatch")

WHOLE = ("tests/scheduler/", "tests/filebatch/web/")  # see pytest_xdist_make_scheduler
LONGEST = ("scheduler", "airflow")  # marks, of the longest first
if mean.IS_ON:
    mean.hurry()

# Each task that a test executes makes sessions of its own, and each would parse the models of AWS's services anew.
botocore.session.create_loader = cache(botocore.session.create_loader)


@pytest.fixture(scope="session")
def server() -> Iterator[LocalAws]:
    with local_aws(options=("--mwaa-takes", "0.2", *mean.options("requests"))) as running:
        yield running


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Place:
    if request.config.getoption("in_memory"):
        from simulation.places import SimulatedPlace

        return SimulatedPlace()
    return Place(request.getfixturevalue("server"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--in-memory", action="store_true", help="have `place` on the simulated AWS; leave out the rest")
    parser.addoption("--on-aws", action="store_true", help="leave out what asks no AWS")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _leave_out(config, items)
    _longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Have one process do a folder whose files share a server, or start systems that take processor time when idle."""
    from xdist.scheduler import LoadFileScheduling

    class SomeFoldersWhole(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return next((folder for folder in WHOLE if file.startswith(folder)), file)

    return SomeFoldersWhole(config, log) if config.getoption("dist") == "loadfile" else None


def _longest_first(items: list[pytest.Item]) -> None:
    """Put files that start whole systems first: as the last ones they'd run alone, and the other processors be idle."""
    ranks: dict[Path, int] = {}
    for item in items:
        marked = [item.get_closest_marker(name) is not None for name in LONGEST]
        ranks[item.path] = min(ranks.get(item.path, len(LONGEST)), [*marked, True].index(True))
    items.sort(key=lambda item: ranks[item.path])


def _leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what can't do without the local AWS, in a run that does; or what does without it.

    What asks for more than AWS promises is skipped where AWS is mean.
    """
    for item in items if mean.IS_ON else ():
        if exact := item.get_closest_marker("exact"):
            item.add_marker(pytest.mark.skip(reason=f"AWS doesn't promise it: {exact.args[0]}"))
    asking = {"server"} if config.getoption("in_memory") else {"server", "place"}
    if config.getoption("in_memory") or config.getoption("on_aws"):
        asks = [item for item in items if asking & set(getattr(item, "fixturenames", ()))]
        left_out = asks if config.getoption("in_memory") else [item for item in items if item not in asks]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
