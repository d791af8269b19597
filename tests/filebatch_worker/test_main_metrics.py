"""A CloudWatch that refuses, breaks or isn't there changes neither a file's state, nor its attempts, nor exit codes."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from claims import counted
from filebatch.core.publishing import NOT_PUBLISHED
from filebatch.core.records import FileState
from workers import Worker, held_of

DENIED = (403, "AccessDenied")
BROKEN = (503, "ServiceUnavailable")
ODD = (400, "InvalidParameterValue")


@contextmanager
def cloudwatch(status, code):
    """Serve a CloudWatch that answers everything with an error; yield its URL and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.path)
            body = json.dumps(
                {"__type": code, "message": "not authorized to perform cloudwatch:PutMetricData"}
            ).encode()
            self.send_response(status)
            self.send_header("x-amzn-query-error", f"{code};Sender")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def ended(held, endpoint):
    return Worker(held, more={"AWS_ENDPOINT_URL_CLOUDWATCH": endpoint}).run()


@pytest.mark.parametrize("answer", [DENIED, BROKEN, ODD], ids=lambda answer: answer[1])
def test_metrics_that_are_refused_leave_everything_as_it_would_have_been(place, answer):
    held = held_of(place, "fine", "invalid", "raise")
    with cloudwatch(*answer) as (endpoint, asked):
        done = ended(held, endpoint)
    assert asked
    assert held.now_in() == [FileState.SUCCEEDED, FileState.INVALID, FileState.FAILED]
    assert [held.item(number).attempts for number in range(3)] == [1, 1, 1]
    assert done.code == 70  # for the processor that raised, and for nothing else
    assert NOT_PUBLISHED in done.output
    assert answer[1] in done.output
    assert counted(place) == {}


def test_a_unit_without_trouble_ends_well_where_nobody_listens_for_its_metrics(place):
    held = held_of(place, "fine")
    with cloudwatch(*DENIED) as (nobody_listens_there_any_more, _):
        pass
    done = ended(held, nobody_listens_there_any_more)
    assert (done.code, held.now_in()) == (0, [FileState.SUCCEEDED])
    assert NOT_PUBLISHED in done.output


def test_a_file_that_is_to_be_tried_again_is_so_whatever_becomes_of_metrics(place):
    held = held_of(place, "fine", "transient")
    with cloudwatch(*DENIED) as (endpoint, _):
        assert ended(held, endpoint).code == 75
    assert held.now_in() == [FileState.SUCCEEDED, FileState.CLAIMED]


def dimensions_of(place, name):
    listed = place.connect("cloudwatch").list_metrics(Namespace=place.name, MetricName=name)["Metrics"]
    return sorted(({each["Name"]: each["Value"] for each in metric["Dimensions"]} for metric in listed), key=len)


def test_the_feed_of_the_metrics_is_what_the_container_is_told_and_a_deployment_may_add_to_it(place):
    held = held_of(place, "fine")
    assert Worker(held, more={"FILEBATCH_DIMENSIONS": "Environment=prod,Team=files"}).run().code == 0
    assert dimensions_of(place, "ProcessingSucceeded") == [
        {"Feed": "orders"},
        {"Feed": "orders", "Environment": "prod", "Team": "files"},
    ]


@pytest.mark.parametrize("wrong", ["Environment", "=prod", "Environment=", "Feed=other", ",,=,", "Environment=pröd"])
def test_dimensions_that_are_wrong_keep_no_file_from_being_done_and_no_alarm_from_its_metric(place, wrong):
    held = held_of(place, "fine")
    done = Worker(held, more={"FILEBATCH_DIMENSIONS": wrong}).run()
    assert (done.code, held.now_in()) == (0, [FileState.SUCCEEDED])
    assert NOT_PUBLISHED in done.output
    assert dimensions_of(place, "ProcessingSucceeded") == [{"Feed": "orders"}]


def test_a_job_definition_of_another_feed_is_told_before_anything_is_touched(place):
    held = held_of(place, "fine")
    done = Worker(held, more={"FILEBATCH_FEED": "invoices"}).run()
    assert done.code == 78
    assert "expected FILEBATCH_FEED=orders" in done.output
    assert "found 'invoices'" in done.output
    assert held.now_in() == [FileState.CLAIMED]
    assert held.record.fence is None
    assert counted(place) == {}
