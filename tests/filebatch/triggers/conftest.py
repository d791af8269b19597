import json
from dataclasses import asdict

import pytest

from aws import REGION
from doorbells import FEED
from filebatch.intake import doorbell
from filebatch.triggers import listener, watch
from scheduler.proxy import proxy_of


@pytest.fixture
def here(place, monkeypatch):
    """A corner of the local AWS in which the trigger finds itself, with its pauses shortened."""
    place.queue(FEED)
    settings = asdict(place.settings())
    keys = {**place.server.credentials(), "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": place.server.endpoint}
    for name, value in {**keys, "AIRFLOW_CONN_AWS_DEFAULT": "aws://"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW_VAR_FILEBATCH", json.dumps(settings))
    for module, name, seconds in (
        (watch, "LOOK_EVERY", 0.3),
        (watch, "LOOK_AGAIN", 0.1),
        (watch, "LOOK_LEAST", 0.02),
    ):
        monkeypatch.setattr(module, name, seconds)
    monkeypatch.setattr(listener, "LONG_POLL", 1)
    monkeypatch.setattr(listener, "EMPTY_LEAST", 0.05)
    monkeypatch.setattr(doorbell, "backoff", lambda faults: 0.1)
    return place


@pytest.fixture
def proxy(here, monkeypatch):
    """AWS as the trigger reaches it, and out of reach."""
    with proxy_of(here.server.endpoint) as (found, url):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        found.dead.add("")
        yield found
