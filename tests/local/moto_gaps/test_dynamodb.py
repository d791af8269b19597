"""Writes of many at once are decided alone, and no item is larger than AWS allows. moto 5.2.5 as it is does neither."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from filebatch_local.moto_gaps.dynamodb import MAX_ITEM, size


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


ROOM = MAX_ITEM - len("pk") - len("a") - len("v")  # bytes of the attribute `v` in the item whose key is "a"


def too_large(write):
    """Write; tell whether the item would be too large."""
    try:
        write()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ValidationException"
        assert "exceeded the maximum allowed size" in error.response["Error"]["Message"]
        return True
    return False


def put(clients, table, length):
    return lambda: clients("dynamodb").put_item(TableName=table, Item={"pk": {"S": "a"}, "v": {"S": "x" * length}})


def update(clients, table, expression, **values):
    request = {
        "TableName": table,
        "Key": {"pk": {"S": "a"}},
        "UpdateExpression": expression,
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
    }
    return lambda: clients("dynamodb").update_item(**request)


def item(clients, table):
    return clients("dynamodb").get_item(TableName=table, Key={"pk": {"S": "a"}}, ConsistentRead=True).get("Item")


def test_the_largest_item_is_put_and_one_byte_more_is_refused_and_changes_nothing(clients, table):
    assert not too_large(put(clients, table, ROOM))
    assert too_large(put(clients, table, ROOM + 1))
    assert len(item(clients, table)["v"]["S"]) == ROOM


def test_an_update_that_makes_an_item_too_large_changes_nothing_of_it(clients, table):
    put(clients, table, 10)()
    before = item(clients, table)
    grow = update(clients, table, "SET outcome = :s, v = :v", s={"S": "DONE"}, v={"S": "x" * ROOM})
    assert too_large(grow)
    assert item(clients, table) == before


def test_an_update_that_would_make_an_item_that_is_too_large_makes_none(clients, table):
    assert too_large(update(clients, table, "SET v = :v", v={"S": "x" * (ROOM + 1)}))
    assert item(clients, table) is None


def test_a_large_value_may_be_replaced_by_another_one(clients, table):
    put(clients, table, ROOM)()
    assert not too_large(update(clients, table, "SET v = :v", v={"S": "y" * ROOM}))
    assert item(clients, table)["v"]["S"] == "y" * ROOM


def test_what_lies_within_a_map_counts(clients, table):
    nested = {"M": {"message": {"S": "x" * ROOM}}}
    assert too_large(update(clients, table, "SET reason = :v", v=nested))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"S": "ü"}, 2),
        ({"N": "1234"}, 3),
        ({"N": "-12.5"}, 3),
        ({"B": "AAAA"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "bc"]}, 3),
        ({"L": [{"S": "a"}, {"N": "1"}]}, 3 + 2 + 1 + 2),
        ({"M": {"ab": {"S": "c"}}}, 3 + 1 + 2 + 1),
    ],
)
def test_an_attribute_is_as_large_as_aws_says(value, expected):
    assert size({"v": value}) == 1 + expected
