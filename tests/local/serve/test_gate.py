"""Who the local AWS answers, and how: over HTTP, with each header as its sender would write it."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError

import nobody
from filebatch_local.base import access
from filebatch_local.base.layout import Layout, LocalAwsError
from filebatch_local.serve.background import down, local_aws, up
from filebatch_local.serve.gate import Names, access_key_id, foreign

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def aws():
    with local_aws() as running:
        yield running


@pytest.fixture
def get(aws):
    """Ask for a path as the key's holder does, but for the headers given; return status and headers."""

    def ask(path="/_filebatch/health", **headers):
        allowed = {"Authorization": f"Bearer {access.access_key_id(aws.key)}"}
        sent = {**allowed, **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = urllib.request.Request(aws.endpoint + path, headers=sent)  # noqa: S310 - the local AWS's
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
                return answer.status, answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.headers

    return ask


def test_whoever_has_the_key_is_answered(get):
    assert get()[0] == 200


@pytest.mark.parametrize("path", ["/", "/_filebatch/health", "/_filebatch/jobs", "/filebatch-local-results", "/x/../y"])
@pytest.mark.parametrize(
    "said",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer filebatch-local"},
        {"Authorization": "Bearer filebatch-local.0000"},
        {"Authorization": "AWS4-HMAC-SHA256 Credential=filebatch-local/20260101/eu-west-1/s3/aws4_request"},
        {"Host": "rebound.example"},
        {"Host": "rebound.example:4566"},
        {"Host": "localhost:1"},
        {"Host": "127.0.0.1.example:4566"},
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_without_key_or_from_a_web_page_nothing_is_answered(get, path, said):
    assert get(path, **said)[0] == 403


@pytest.mark.parametrize(
    "lines",
    [
        ["GET http://rebound.example/_filebatch/health HTTP/1.1", "Host: {own}"],
        ["GET /_filebatch/health HTTP/1.1", "Host: {own}", "Host: rebound.example"],
        ["GET /_filebatch/health HTTP/1.1", "Host: 0.0.0.0:{port}"],
        ["GET /_filebatch/health HTTP/1.1", "Host: {own}", "Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"],
        ["GET /_filebatch/health HTTP/1.0"],
        ["GET /_filebatch/health HTTP/1.1", "Host: {own}", "Upgrade: websocket", "Origin: http://{own}"],
    ],
    ids=str,
)
def test_what_a_request_says_in_two_ways_is_not_the_way_that_is_let_in(aws, lines):
    where = urlsplit(aws.endpoint)
    request = [line.format(own=where.netloc, port=where.port) for line in lines]
    request += [f"Authorization: Bearer {access.access_key_id(aws.key)}", "Connection: close", "", ""]
    with socket.create_connection((where.hostname, where.port), timeout=10) as one:
        one.sendall("\r\n".join(request).encode())
        assert one.makefile().readline().split()[1] == "403"


def test_its_own_origin_is_no_exception_as_it_has_no_pages(aws, get):
    assert get(Origin=aws.endpoint)[0] == 403


@pytest.mark.parametrize("path", ["/moto-api/", "/moto-api/reset", "/moto-api/recorder/start-recording", "//moto-api/"])
def test_motos_own_interface_is_not_there_even_with_the_key(aws, get, path):
    s3 = aws.client("s3")
    assert get(path)[0] == 404
    assert len(s3.list_buckets()["Buckets"]) == 2


def test_no_answer_tells_a_browser_that_other_pages_may_read_it(aws, get):
    assert not [name for path in ("/", "/_filebatch/jobs") for name in get(path)[1] if name.startswith("Access-")]


def test_what_a_bucket_holds_is_never_shown_nor_run_by_a_browser(aws):
    s3, bucket = aws.client("s3"), aws.settings["buckets"]["new_files"]
    s3.put_object(Bucket=bucket, Key="a.html", Body=b"<script>", ContentType="text/html", ContentDisposition="inline")
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a.html"})
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the local AWS's
        assert answer.read() == b"<script>"
        assert answer.headers.get_all("Content-Disposition") == ["attachment"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_whoever_asks_for_an_objects_headers_alone_is_told_its_own(aws):
    """Terraform would write an object again that has another disposition than it was given."""
    s3, bucket = aws.client("s3"), aws.settings["buckets"]["new_files"]
    s3.put_object(Bucket=bucket, Key="a.csv", Body=b"a")
    s3.put_object(Bucket=bucket, Key="b.csv", Body=b"b", ContentDisposition="inline")
    told = [s3.head_object(Bucket=bucket, Key=key) for key in ("a.csv", "b.csv")]
    assert [each.get("ContentDisposition") for each in told] == [None, "inline"]
    assert told[0]["ResponseMetadata"]["HTTPHeaders"]["x-content-type-options"] == "nosniff"


def test_calls_that_aws_lets_anybody_make_need_the_key_too(aws):
    with pytest.raises(ClientError, match="expected the access key of this start"):
        aws.client("sts", signature_version=UNSIGNED).assume_role_with_web_identity(
            RoleArn="arn:aws:iam::123456789012:role/any", RoleSessionName="any", WebIdentityToken="token"
        )


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("batch", "describe_job_queues"),
        ("cloudwatch", "list_metrics"),
        ("dynamodb", "list_tables"),
        ("logs", "describe_log_groups"),
        ("s3", "list_buckets"),
        ("sns", "list_topics"),
        ("sqs", "list_queues"),
    ],
)
def test_a_client_with_another_key_is_told_what_to_do(aws, service, operation):
    stranger = replace(aws, key="0" * len(aws.key)).client(service)
    with pytest.raises(ClientError, match=r"expected the access key of this start.*make -s env"):
        getattr(stranger, operation)()


def test_a_new_start_has_a_new_key(aws):
    with local_aws() as other:
        assert other.key != aws.key
        assert len(other.key) >= 32


def test_the_key_can_be_kept_for_clients_that_outlive_the_server(tmp_path):
    file = tmp_path / "key"
    first = access.key_of_this_start(file)
    assert access.key_of_this_start(file, keep=True) == first
    assert access.key_of_this_start(file) != first
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_key_is_in_no_text_that_shows_the_server(aws):
    assert aws.key not in repr(aws)
    commands = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert aws.key not in commands


def test_a_state_folder_that_others_may_enter_is_refused(tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "open").chmod(0o755)
    with pytest.raises(LocalAwsError, match="0700"):
        Layout.here(tmp_path / "open").make_state()
    Layout.here(tmp_path / "new").make_state()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


NAMES = Names.of("aws", 4566, 8000)


@pytest.mark.parametrize(
    "host",
    [
        "aws:4566",
        "AWS:4566",
        "127.0.0.1:4566",
        "localhost:8000",
        "[::1]:4566",
        "my-bucket.localhost:4566",
        "a.b.c.aws:4566",
    ],
)
def test_names_of_the_server_and_of_buckets_below_them_are_its_own(host):
    assert host in NAMES


@pytest.mark.parametrize(
    "host",
    [
        "",
        "aws",
        "aws:80",
        "evil-aws:4566",
        "bucket.127.0.0.1:4566",
        "aws:4566.example:80",
        "a b.localhost:4566",
        "aws:8000",
    ],
)
def test_other_names_are_not(host):
    assert host not in NAMES


def test_a_server_at_the_usual_port_is_called_without_it():
    assert "localhost" in Names.of("127.0.0.1", 80)


def test_own_pages_may_ask_where_there_are_some():
    headers = {"host": "localhost:4566", "origin": "http://localhost:4566", "sec-fetch-site": "same-origin"}
    assert foreign(headers, NAMES, own_pages=True) is None
    assert foreign(headers, NAMES)
    assert foreign({**headers, "origin": "http://localhost:8000"}, NAMES, own_pages=True)
    assert foreign({**headers, "origin": "https://localhost:4566"}, NAMES, own_pages=True)


@pytest.mark.parametrize(
    ("authorization", "query", "found"),
    [
        ("AWS4-HMAC-SHA256 Credential=me.k/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host", "", "me.k"),
        ("AWS me.k:c2lnbmF0dXJl", "", "me.k"),
        ("Bearer me.k", "", "me.k"),
        ("Basic me.k", "", ""),
        ("", "X-Amz-Credential=me.k%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Signature=0", "me.k"),
        ("", "AWSAccessKeyId=me.k&Signature=0", "me.k"),
        ("", "other=me.k", ""),
    ],
)
def test_the_access_key_id_is_where_clients_put_it(authorization, query, found):
    assert access_key_id(authorization, query) == found


# Another user of the machine


def test_another_user_can_neither_ask_nor_run_anything(aws):
    submit = json.dumps({"jobName": "mine", "jobQueue": aws.settings["job_queue"], "jobDefinition": "any"})
    asked = [("/_filebatch/jobs", ""), ("/v1/submitjob", submit), ("/_filebatch/provision", "{}"), ("/", "")]
    assert [nobody.asks(aws.endpoint + path, body) for path, body in asked] == [403] * 4
    assert aws.jobs() == []


def test_another_user_reads_neither_key_nor_files_nor_environment(tmp_path):
    state = Path("/tmp") / f"filebatch-{tmp_path.name}-{os.getpid()}"  # noqa: S108 - a place that others may enter
    layout = Layout.here(state)
    try:
        aws, _ = up(layout, 0, ["--feeds", ""])
        hidden = [state, layout.key_file, state / "aws.json", state / "aws.log", Path(f"/proc/{aws.pid}/environ")]
        assert nobody.reads(*hidden) == ["PermissionError"] * len(hidden)
        (command,) = nobody.reads(Path(f"/proc/{aws.pid}/cmdline"))
        assert "filebatch_local" in command
        assert aws.key not in command
    finally:
        down(layout)
        shutil.rmtree(state, ignore_errors=True)


def test_the_repositorys_own_state_folder_is_closed_where_it_was_left_open(tmp_path):
    for name in ("layout", "setup"):
        (tmp_path / name / ".local" / "airflow").mkdir(parents=True)
        (tmp_path / name / ".local").chmod(0o755)
    Layout(tmp_path / "layout", tmp_path / "layout" / ".local").make_state()
    setup, made = tmp_path / "setup", tmp_path / "setup" / ".local" / "airflow"
    (setup / ".venv").symlink_to(sys.prefix)
    (made / "pristine.db").touch()
    (made / ".migrated").write_text(version("apache-airflow"))
    subprocess.run([ROOT / "tools" / "database", ".venv"], cwd=setup, check=True, env={"PATH": "/usr/bin:/bin"})
    assert {stat.S_IMODE((tmp_path / name / ".local").stat().st_mode) for name in ("layout", "setup")} == {0o700}
