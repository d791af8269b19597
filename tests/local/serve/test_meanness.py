"""A local AWS at its meanest: what happens to requests, events, messages, jobs and reads; and who is spared."""

import io
import json
from collections import Counter

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ResponseStreamingError

from filebatch_local.base import access
from filebatch_local.base.faults import BY_NAME
from filebatch_local.base.mean import Mean
from filebatch_local.moto_gaps.events import deliveries
from filebatch_local.serve.background import local_aws
from filebatch_local.serve.meanness import Meanness, halves, operation

ONCE = {"retries": {"max_attempts": 0}}


class Always(Mean):
    """Has the same happen to every request."""

    def __init__(self, name="", bad=0.0, left_out=False):
        super().__init__(1)
        self.found, self.left_out = (BY_NAME[name], bad) if name else None, left_out

    def fault(self, service, operation):
        return self.found

    def mishap(self, name):
        return 0.5 if self.left_out else None


class Socket:
    def shutdown(self, how):
        pass


def request(service="dynamodb", method="POST", path="/", who="airflow", body=b"{}", **headers):
    scope = f"AWS4-HMAC-SHA256 Credential={who}.KEY/20260101/eu-west-1/{service}/aws4_request"
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": headers.pop("query", ""),
        "CONTENT_TYPE": headers.pop("kind", "application/x-amz-json-1.0"),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "werkzeug.socket": Socket(),
        "HTTP_AUTHORIZATION": scope,
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }


class App:
    """Answers every request, and says what came."""

    def __init__(self):
        self.came = []

    def __call__(self, environ, start_response):
        self.came.append(environ["wsgi.input"].read())
        start_response("200 OK", [("Content-Length", "10")])
        return [b"0123456789"]


def asked(mean, environ):
    """Return what came to the application, and status and body of the answer."""
    app, started = App(), []
    answer = b"".join(Meanness(app, mean)(environ, lambda *all_: started.extend(all_)))
    return len(app.came), started[0], answer


@pytest.mark.parametrize(
    ("environ", "status", "code"),
    [
        (request(), 400, b'"ProvisionedThroughputExceededException"'),
        (request("batch", path="/v1/submitjob", kind=""), 429, b'"TooManyRequestsException"'),
        (request("s3", "PUT", "/b/k", kind=""), 503, b"<Error><Code>SlowDown<"),
        (request("s3", "PUT", "/b/k.json", kind="application/json"), 503, b"<Error><Code>SlowDown<"),
        (request("sns", kind="application/x-www-form-urlencoded"), 400, b"<ErrorResponse><Error><Code>Throttling<"),
    ],
)
def test_a_refusal_is_worded_as_its_service_words_it(environ, status, code):
    came, answered, body = asked(Always("throttled"), environ)
    assert (came, answered.split()[0]) == (0, str(status))
    assert code in body


def test_what_is_unreachable_never_comes():
    app = App()
    with pytest.raises(ConnectionResetError):
        list(Meanness(app, Always("unreachable"))(request(), None))
    assert app.came == []


def test_an_answer_is_lost_after_what_was_asked_for_is_done():
    app = App()
    with pytest.raises(ConnectionResetError):
        Meanness(app, Always("answer lost", 0.1))(request(), None)
    assert len(app.came) == 1


def test_an_answer_is_cut_in_its_middle():
    app = App()
    answer = iter(Meanness(app, Always("answer lost", 0.9))(request(), lambda *_: None))
    assert (len(app.came), next(answer)) == (1, b"01234")
    with pytest.raises(ConnectionResetError):
        next(answer)


def test_only_a_conditional_write_is_in_conflict():
    plain = request("s3", "PUT", "/b/k", kind="")
    assert asked(Always("in conflict"), plain)[:2] == (1, "200 OK")
    assert asked(Always("in conflict"), {**plain, "HTTP_IF_NONE_MATCH": "*"})[1].startswith("409")


@pytest.mark.parametrize("who", [access.SPARED, None])
def test_who_is_spared_or_unsigned_is_left_alone(who):
    environ = request(who=who or "x")
    if who is None:
        del environ["HTTP_AUTHORIZATION"]
    assert asked(Always("broken"), environ) == (1, "200 OK", b"0123456789")


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        (request(x_amz_target="DynamoDB_20120810.UpdateItem"), "update_item"),
        (request("batch", path="/v1/submitjob", kind=""), "submitjob"),
        (request("sns", body=b"Action=Publish&x=y", kind="application/x-www-form-urlencoded"), "publish"),
        (request("s3", "PUT", "/b/a/c", kind=""), "put_object"),
        (request("s3", "GET", "/b", query="list-type=2", kind=""), "get_bucket"),
        (request("s3", "GET", "/b/", query="versions", kind=""), "get_bucket_versions"),
        (request("s3", "POST", "/b/k", query="uploads", kind=""), "post_upload"),
    ],
)
def test_requests_are_counted_by_what_they_ask_for(environ, found):
    service = environ["HTTP_AUTHORIZATION"].split("/")[3]
    assert operation(environ, service) == found


def test_half_of_the_keys_are_left_for_later():
    now, later = halves({"t": {"Keys": [1, 2, 3], "ConsistentRead": True}, "u": {"Keys": [4]}})
    assert now == {"t": {"Keys": [1, 2], "ConsistentRead": True}, "u": {"Keys": [4]}}
    assert later == {"t": {"Keys": [3], "ConsistentRead": True}}


def test_events_come_late_twice_or_never():
    mean = Mean(1)
    found = [deliveries(mean) for _ in range(300)]
    assert {len(each) for each in found} == {0, 1, 2}
    assert max(late for each in found for late in each) > 2.0
    assert deliveries(Mean()) == [0.0]


@pytest.fixture(scope="module")
def aws():
    with local_aws(options=("--mean", "1")) as running:
        yield running


def outcome(call):
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    except (ConnectionClosedError, ResponseStreamingError) as error:
        return type(error).__name__
    return "answered"


def test_clients_see_each_kind_of_fault(aws):
    dynamodb, table = aws.client("dynamodb", **ONCE), aws.settings["ledger"]
    key = {"pk": {"S": "a"}, "sk": {"S": "b"}}
    found = Counter(outcome(lambda: dynamodb.get_item(TableName=table, Key=key)) for _ in range(300))
    assert set(found) == {
        "answered",
        "ProvisionedThroughputExceededException",
        "InternalError",
        "ConnectionClosedError",
    }


def test_what_is_spared_meets_none(aws):
    dynamodb = aws.client("dynamodb", access.SPARED, **ONCE)
    found = Counter(outcome(dynamodb.list_tables) for _ in range(200))
    assert found == {"answered": 200}


def test_a_client_that_tries_again_gets_through(aws):
    s3, bucket = (
        aws.client("s3", retries={"mode": "standard", "total_max_attempts": 6}),
        aws.settings["buckets"]["results"],
    )
    for number in range(40):
        s3.put_object(Bucket=bucket, Key=f"{number}", Body=b"x")
    assert len(s3.list_objects_v2(Bucket=bucket)["Contents"]) == 40


def test_keys_that_are_left_out_are_named(aws):
    dynamodb, table = aws.client("dynamodb"), aws.settings["ledger"]
    keys = [{"pk": {"S": "left out"}, "sk": {"S": str(number)}} for number in range(10)]
    for each in keys:
        dynamodb.put_item(TableName=table, Item=each)
    answers = [dynamodb.batch_get_item(RequestItems={table: {"Keys": keys}}) for _ in range(30)]
    left = [each["UnprocessedKeys"].get(table, {"Keys": []})["Keys"] for each in answers]
    assert {len(each) for each in left} == {0, 5}
    for answer, rest in zip(answers, left, strict=True):
        assert sorted(json.dumps(key) for key in [*answer["Responses"][table], *rest]) == sorted(map(json.dumps, keys))


def test_an_index_is_behind_and_catches_up(aws, wait_until):
    dynamodb, table = aws.client("dynamodb", access.SPARED), aws.settings["ledger"]

    def put(number):
        item = {"pk": {"S": f"lag {number}"}, "sk": {"S": "x"}, "open": {"S": "lag"}, "due_at": {"S": str(number)}}
        dynamodb.put_item(TableName=table, Item=item)

    def seen():
        query = {"KeyConditionExpression": "#o = :o", "ExpressionAttributeNames": {"#o": "open"}}
        values = {":o": {"S": "lag"}}
        return dynamodb.query(TableName=table, IndexName="open", ExpressionAttributeValues=values, **query)["Count"]

    for number in range(30):
        put(number)
    assert seen() < 30
    scanned = dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
    assert len([one for one in scanned if one["pk"]["S"].startswith("lag")]) == 30
    wait_until(lambda: seen() == 30, "an index that has caught up")


def test_a_new_job_is_unknown_for_a_while_though_it_runs(aws, wait_until):
    batch, queue = aws.client("batch", access.SPARED), aws.settings["job_queue"]
    definition = {
        "image": "filebatch-worker:local",
        "command": ["/bin/true"],
        "executionRoleArn": "arn:aws:iam::1:role/x",
    }
    size = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
    batch.register_job_definition(
        jobDefinitionName="mean", type="container", containerProperties={**definition, "resourceRequirements": size}
    )
    submit = {"jobQueue": queue, "jobDefinition": "mean", "shareIdentifier": "tests"}
    ids = [batch.submit_job(jobName=f"job-{number}", **submit)["jobId"] for number in range(8)]
    filters = [{"name": "JOB_NAME", "values": ["job-*"]}]
    assert len(batch.describe_jobs(jobs=ids)["jobs"]) < 8
    assert len(batch.list_jobs(jobQueue=queue, filters=filters)["jobSummaryList"]) < 8

    wait_until(lambda: len(batch.describe_jobs(jobs=ids)["jobs"]) == 8, "that all jobs are known")
    assert len(batch.list_jobs(jobQueue=queue, filters=filters)["jobSummaryList"]) == 8


def test_the_kinds_of_a_queue(aws):
    """Messages are there twice and out of order."""
    sqs = aws.client("sqs", access.SPARED)
    url = sqs.create_queue(QueueName="mean")["QueueUrl"]
    for number in range(40):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    got = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        got += [int(each["Body"]) for each in messages]
    assert set(got) == set(range(40))
    assert len(got) > 40
    assert got != sorted(got)
