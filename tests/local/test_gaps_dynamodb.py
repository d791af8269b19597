"""Conditional writes of many at once: one wins. On moto 5.2.5 as it is, several do."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError


def test_of_many_conditional_puts_one_wins(clients):
    dynamodb, count = clients("dynamodb"), 8
    table = f"table-{uuid.uuid4()}"
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    gate = threading.Barrier(count)

    def write(key):
        gate.wait()
        try:
            dynamodb.put_item(
                TableName=table,
                Item={"pk": {"S": key}, "padding": {"S": "x" * 100_000}},
                ConditionExpression="attribute_not_exists(pk)",
            )
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ConditionalCheckFailedException"
            return 0
        return 1

    with ThreadPoolExecutor(count) as pool:
        for key in map(str, range(30)):
            assert sum(pool.map(write, [key] * count)) == 1
