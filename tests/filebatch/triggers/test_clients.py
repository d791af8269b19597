"""Clients that triggers share: one for all, and a new one after refused credentials."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from filebatch.triggers import clients
from filebatch.triggers.clients import Source

SOURCE = Source("aws_default", "eu-west-1")
EXPIRED = ClientError({"Error": {"Code": "ExpiredTokenException"}}, "ReceiveMessage")


@pytest.fixture
def made(monkeypatch):
    """Each client that is made, by whether it is open."""
    found: dict[str, bool] = {}

    @asynccontextmanager
    async def make(service):
        name = f"{service}-{len(found) + 1}"
        found[name] = True
        try:
            yield name
        finally:
            found[name] = False

    monkeypatch.setattr(clients, "_make", lambda source, service: make(service))
    return found


def test_one_client_serves_all_and_is_closed_by_the_last(made):
    async def scenario():
        async with clients.client(SOURCE, "sqs") as one, clients.client(SOURCE, "sqs") as other:
            assert one == other == "sqs-1"
            async with clients.client(SOURCE, "dynamodb") as ledger:
                assert ledger == "dynamodb-2"
            assert made == {"sqs-1": True, "dynamodb-2": False}
        assert made["sqs-1"] is False

    asyncio.run(scenario())


def test_many_at_once_make_one(made):
    async def use():
        async with clients.client(SOURCE, "sqs") as found:
            await asyncio.sleep(0.01)
            return found

    async def scenario():
        return set(await asyncio.gather(*(use() for _ in range(60))))

    assert asyncio.run(scenario()) == {"sqs-1"}


@pytest.mark.parametrize(("error", "renewed"), [(EXPIRED, True), (NoCredentialsError(), True), (None, False)])
def test_refused_credentials_lead_to_a_new_client_while_others_still_use_the_old(made, error, renewed):
    error = error or EndpointConnectionError(endpoint_url="http://here")

    async def scenario():
        async with clients.client(SOURCE, "sqs") as old:
            with pytest.raises(type(error)):
                async with clients.client(SOURCE, "sqs"):
                    raise error
            async with clients.client(SOURCE, "sqs") as new:
                assert (new != old) is renewed
            assert made[old]
        assert not any(made.values())

    asyncio.run(scenario())
