"""A feed whose queue or job definition isn't there: the run says what is missing, and holds no file for nothing."""

import asyncio
import json
import uuid
from dataclasses import asdict

import pytest
from airflow.sdk.exceptions import AirflowFailException
from botocore.exceptions import ClientError

from aws import REGION, feed_of
from e2e.tasks import DagRun, Run
from filebatch.core.errors import ConfigurationError
from filebatch.core.records import FileRecord, FileState, RunRecord
from filebatch.runs import infrastructure
from filebatch.triggers.context import TriggerContext
from filebatch.triggers.listener import Listener

FEED = feed_of("orders")


@pytest.fixture
def here(place, monkeypatch):
    """A corner of the local AWS in which tasks and triggers find themselves; nothing of the feed is there."""
    keys = {**place.server.credentials(), "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": place.server.endpoint}
    for name, value in {**keys, "AIRFLOW_CONN_AWS_DEFAULT": "aws://"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW_VAR_FILEBATCH", json.dumps(asdict(place.settings())))
    return place


def define(place) -> str:
    """Register the feed's job definition; return the ARN of the revision."""
    name = place.job_definition("exit 0")
    batch = place.connect("batch")
    container = batch.describe_job_definitions(jobDefinitionName=name)["jobDefinitions"][0]["containerProperties"]
    request = {"type": "container", "platformCapabilities": ["FARGATE"], "containerProperties": container}
    answer = batch.register_job_definition(jobDefinitionName=place.settings().job_definition(FEED.name), **request)
    return str(answer["jobDefinitionArn"])


def a_run(place, **params) -> Run:
    return Run(FEED, asdict(place.settings()), DagRun(FEED.name, f"manual__{uuid.uuid4()}"), params)


@pytest.mark.parametrize("params", [{}, {"keys": ["orders/a.csv"]}, {"prefix": "orders/"}])
def test_without_its_job_definition_nothing_is_claimed_and_the_run_says_what_is_missing(here, params):
    here.queue(FEED)
    key = FileRecord.at(here.put("orders/a.csv"))
    with pytest.raises(AirflowFailException, match="terraform apply") as error:
        a_run(here, **params).task("claim_files")
    assert f"feed 'orders': its job definition {here.name}-orders isn't there" in str(error.value)
    assert here.ledger.get(key) is None or here.state(key) == FileState.ARRIVED
    assert [item for item in here.ledger.scan() if item["pk"] == RunRecord.at("orders", "")[0]] == []


def test_without_its_queue_nothing_is_claimed_and_the_run_says_what_is_missing(here):
    define(here)
    key = FileRecord.at(here.put("orders/a.csv"))
    with pytest.raises(AirflowFailException, match="terraform apply") as error:
        a_run(here).task("claim_files")
    assert f"feed 'orders': its queue {here.settings().queue('orders')} isn't there" in str(error.value)
    assert here.ledger.get(key) is None


def test_a_job_definition_that_goes_after_the_claim_gives_the_files_back(here):
    here.queue(FEED)
    arn = define(here)
    key = FileRecord.at(here.put("orders/a.csv"))
    run = a_run(here)
    run.task("claim_files")
    assert here.state(key) == FileState.CLAIMED
    here.connect("batch").deregister_job_definition(jobDefinition=arn)

    with pytest.raises(AirflowFailException, match="The files of this run wait again") as error:
        run.task("process_files")

    assert f"its job definition {here.name}-orders isn't there" in str(error.value)
    assert here.state(key) == FileState.ARRIVED
    define(here)
    a_run(here).task("claim_files")
    assert here.state(key) == FileState.CLAIMED


def test_the_doorbell_names_a_queue_that_is_not_there(here):
    async def scenario():
        await Listener(TriggerContext(FEED, "aws_default"), asyncio.Event())._listen()

    with pytest.raises(ConfigurationError, match=r"feed 'orders': its queue .*-orders isn't there"):
        asyncio.run(scenario())


def test_an_access_that_is_denied_elsewhere_is_no_missing_queue():
    error = ClientError({"Error": {"Code": "AccessDenied"}}, "PutItem")
    with pytest.raises(ClientError), infrastructure.queue_needed(None, "orders"):
        raise error
