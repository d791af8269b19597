"""Writes of many at once: each is decided alone. On moto 5.2.5 as it is, they get in each other's way."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError


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


def refused(write, code):
    """Write; tell whether the write's condition didn't hold."""
    try:
        write()
    except ClientError as error:
        assert error.response["Error"]["Code"] == code
        return True
    return False


def test_of_many_conditional_puts_one_wins(clients, table):
    count, item = 8, {"padding": {"S": "x" * 100_000}}
    gate = threading.Barrier(count)

    def write(key):
        gate.wait()
        put = {
            "TableName": table,
            "Item": {"pk": {"S": key}, **item},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        return refused(lambda: clients("dynamodb").put_item(**put), "ConditionalCheckFailedException")

    with ThreadPoolExecutor(count) as pool:
        for key in map(str, range(10)):
            assert sum(pool.map(write, [key] * count)) == count - 1


def test_a_transaction_that_fails_undoes_no_write_of_another(clients, table):
    dynamodb, over = clients("dynamodb"), threading.Event()
    for start in range(0, 300, 25):
        puts = [{"PutRequest": {"Item": {"pk": {"S": f"before-{start + number}"}}}} for number in range(25)]
        dynamodb.batch_write_item(RequestItems={table: puts})
    put = {"TableName": table, "Item": {"pk": {"S": "never"}}, "ConditionExpression": "attribute_exists(pk)"}

    def transact():
        dynamodb.transact_write_items(TransactItems=[{"Put": put}])

    def fail():
        while not over.is_set():
            assert refused(transact, "TransactionCanceledException")

    with ThreadPoolExecutor(1) as pool:
        failing = pool.submit(fail)
        for number in range(20):
            dynamodb.put_item(TableName=table, Item={"pk": {"S": f"meanwhile-{number}"}})
        over.set()
        failing.result()
    assert dynamodb.scan(TableName=table, Select="COUNT")["Count"] == 320
