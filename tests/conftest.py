"""One local AWS for all tests of a session, and a corner of it for each test."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from aws import Place
from filebatch_local.serve.background import LocalAws, local_aws

# Deadlines of single examples say more about the machine than about the code.
settings.register_profile("filebatch", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("filebatch")


@pytest.fixture(scope="session")
def server() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


@pytest.fixture
def place(server: LocalAws) -> Place:
    return Place(server)
