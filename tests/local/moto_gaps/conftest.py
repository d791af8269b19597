"""What tests of these corrections need."""

import uuid

import pytest


@pytest.fixture
def table(clients):
    name = f"table-{uuid.uuid4()}"
    clients("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    return name
