"""The local AWS's MWAA: over HTTP as clients ask it, and its states as time passes."""

import io
import json
import uuid
import zipfile
from dataclasses import dataclass, field

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from aws import REGION, until
from filebatch_local.mwaa.requests import RefusedError, read
from filebatch_local.mwaa.service import Mwaa

ROLE = "arn:aws:iam::123456789012:role/airflow"
FEED = b"description: One.\nprefix: one/\nstart: 2026-01-01\nprocessor: tabular\noptions: {columns: {a: string}}\n"


@dataclass
class World:
    """MWAA with a clock that stands still, on a real bucket."""

    connect: object
    ran: list = field(default_factory=list)
    time: float = 0.0
    bucket: str = field(default_factory=lambda: f"airflow-{uuid.uuid4().hex[:12]}")

    def __post_init__(self):
        where = {"LocationConstraint": REGION}
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration=where)
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        self.mwaa = Mwaa(self.connect, REGION, self.run, takes=100, now=lambda: self.time)

    @property
    def s3(self):
        return self.connect("s3")

    def run(self, environment, dag, conf, files):
        self.ran.append((dag, conf, sorted(files)))
        return conf != {"fail": True}

    def put(self, key: str, content: bytes) -> str:
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)["VersionId"]

    def plugins(self, *names: str) -> str:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name in names:
                archive.writestr(name, "")
        return self.put("plugins.zip", packed.getvalue())

    def create(self, **more):
        return self.mwaa.do("CreateEnvironment", create_parameters(self.bucket, **more))

    def get(self):
        return self.mwaa.do("GetEnvironment", {"Name": "files"})["Environment"]

    def rest(self, method, path, query=None, body=None):
        asked = {"Name": "files", "Method": method, "Path": path, "QueryParameters": query, "Body": body}
        return self.mwaa.do("InvokeRestApi", asked)["RestApiResponse"]


@pytest.fixture
def world(place) -> World:
    return World(place.connect)


def create_parameters(bucket: str, **more):
    network = {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
    found = {"ExecutionRoleArn": ROLE, "SourceBucketArn": f"arn:aws:s3:::{bucket}", "DagS3Path": "dags/"}
    return {"Name": "files", "NetworkConfiguration": network, **found, **more}


def test_an_environment_is_creating_until_its_time_is_over(world):
    world.create()
    assert world.get()["Status"] == "CREATING"
    with pytest.raises(RefusedError, match="no web server yet"):
        world.rest("GET", "/dags")

    world.time = 100
    assert world.get()["Status"] == "AVAILABLE"
    assert world.mwaa.do("ListEnvironments", {}) == {"Environments": ["files"]}


def test_an_update_takes_its_time_and_brings_what_it_asked_for_at_its_end(world):
    first, second = world.plugins("a"), world.plugins("b")
    world.create(PluginsS3Path="plugins.zip", PluginsS3ObjectVersion=first)
    world.time = 100

    world.mwaa.do("UpdateEnvironment", {"Name": "files", "PluginsS3ObjectVersion": second})

    assert (world.get()["Status"], world.get()["PluginsS3ObjectVersion"]) == ("UPDATING", first)
    with pytest.raises(RefusedError, match="is UPDATING"):
        world.mwaa.do("UpdateEnvironment", {"Name": "files"})
    world.time = 200
    assert (world.get()["Status"], world.get()["PluginsS3ObjectVersion"]) == ("AVAILABLE", second)
    assert world.get()["LastUpdate"]["Status"] == "SUCCESS"


def test_an_update_that_fails_is_rolled_back_and_the_next_is_taken(world):
    world.create()
    world.time = 100
    version = world.put("requirements.txt", b"one==1\nnot a requirement\n")
    asked = {"Name": "files", "RequirementsS3Path": "requirements.txt", "RequirementsS3ObjectVersion": version}

    world.mwaa.do("UpdateEnvironment", asked)

    seen = []
    for world.time in (150, 250, 300):
        seen.append(world.get()["Status"])
    assert seen == ["UPDATING", "ROLLING_BACK", "UPDATE_FAILED"]
    assert "RequirementsS3Path" not in world.get()
    assert "not a requirement" in world.get()["LastUpdate"]["Error"]["ErrorMessage"]
    world.mwaa.do("UpdateEnvironment", {"Name": "files"})


def test_a_version_that_isnt_in_the_bucket_is_refused_at_once(world):
    with pytest.raises(RefusedError, match=r"plugins\.zip version none can't be read"):
        world.create(PluginsS3Path="plugins.zip", PluginsS3ObjectVersion="none")


def test_a_creation_that_fails_leaves_what_can_only_be_deleted(world):
    world.mwaa.fail_next["files"] = "no network"
    world.create()
    world.time = 100
    assert world.get()["Status"] == "CREATE_FAILED"
    with pytest.raises(RefusedError):
        world.mwaa.do("UpdateEnvironment", {"Name": "files"})

    world.mwaa.do("DeleteEnvironment", {"Name": "files"})
    assert world.get()["Status"] == "DELETING"
    world.time = 200
    with pytest.raises(RefusedError, match="no environment files"):
        world.get()


def test_its_airflow_has_a_dag_of_each_feed_that_the_plugins_it_started_with_can_make(world):
    world.put("dags/file_to_batch.py", b"")
    world.put("dags/feeds/one.yaml", FEED)
    empty, full = world.plugins("other.py"), world.plugins("filebatch/__init__.py")
    world.create(PluginsS3Path="plugins.zip", PluginsS3ObjectVersion=empty)
    world.time = 100
    assert world.rest("GET", "/dags")["dags"] == []
    assert "No module named 'filebatch'" in world.rest("GET", "/importErrors")["import_errors"][0]["stack_trace"]

    world.mwaa.do("UpdateEnvironment", {"Name": "files", "PluginsS3ObjectVersion": full})
    world.time = 200
    world.put("dags/feeds/two.yaml", b"prefix: two/\n")
    assert [dag["dag_id"] for dag in world.rest("GET", "/dags")["dags"]] == ["one"]
    assert "two.yaml" in world.rest("GET", "/importErrors")["import_errors"][0]["stack_trace"]


def test_its_dags_are_paused_as_its_configuration_says_and_can_be_unpaused_and_run(world):
    world.put("dags/file_to_batch.py", b"")
    world.put("dags/feeds/one.yaml", FEED)
    world.create(PluginsS3Path="plugins.zip", PluginsS3ObjectVersion=world.plugins("filebatch/__init__.py"))
    world.time = 100
    assert world.rest("GET", "/dags", {"paused": "true"})["total_entries"] == 1
    world.rest("PATCH", "/dags/one", body={"is_paused": False})
    assert world.rest("GET", "/dags", {"paused": False})["total_entries"] == 1
    with pytest.raises(RefusedError, match="refuses"):
        world.rest("POST", "/dags/one/dagRuns", body={"conf": {}})

    for conf in ({"keys": ["a"]}, {"fail": True}):
        world.rest("POST", "/dags/one/dagRuns", body={"logical_date": None, "conf": conf})
    until(lambda: all(run["state"] != "running" for run in world.rest("GET", "/dags/one/dagRuns")["dag_runs"]))

    states = [run["state"] for run in world.rest("GET", "/dags/one/dagRuns", {"limit": 1})["dag_runs"]]
    assert (states, len(world.ran)) == (["failed"], 2)
    assert ("one", {"keys": ["a"]}, ["feeds/one.yaml", "file_to_batch.py"]) in world.ran


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        ("PUT", "/environments/files", {}, "Missing required parameter"),
        ("PUT", "/environments/1files", create_parameters("b"), "Name: expected"),
        ("PUT", "/environments/files", create_parameters("b", DagPath="dags"), 'Unknown parameter in input: "DagPath"'),
        ("PATCH", "/environments/files", {"ExecutionRoleArn": "airflow"}, "ExecutionRoleArn: expected arn"),
        ("PATCH", "/environments/files", {"WebserverAccessMode": "OPEN"}, "expected one of PRIVATE_ONLY"),
        ("PATCH", "/environments/files", {"MaxWorkers": "5"}, "Invalid type for parameter MaxWorkers"),
        ("POST", "/restapi/files", {"Method": "GET", "Path": "/" + 64 * "x"}, "at most 64 characters"),
        ("GET", "/environment/files", {}, "no operation GET /environment/files"),
        ("PUT", "/environments/files", create_parameters("b", Tags={"a": "?"}), "Tags.a: expected"),
    ],
)
def test_what_the_model_doesnt_allow_is_refused(method, path, body, told):
    with pytest.raises(RefusedError, match=told):
        read(method, path, "", json.dumps({k: v for k, v in body.items() if k != "Name"}).encode())


def test_tags_are_of_letters_and_numbers_of_any_language():
    body = {name: value for name, value in create_parameters("b", Tags={"für": "été 2 @a/b"}).items() if name != "Name"}
    assert read("PUT", "/environments/files", "", json.dumps(body).encode())[1]["Tags"] == {"für": "été 2 @a/b"}


def test_a_boto3_client_gets_answers_that_fit_the_model_and_errors_by_their_names(world, server):
    mwaa = server.client("mwaa")
    name = f"e-{uuid.uuid4().hex[:12]}"
    with pytest.raises(mwaa.exceptions.ResourceNotFoundException):
        mwaa.get_environment(Name=name)
    mwaa.create_environment(**create_parameters(world.bucket, Name=name))
    with pytest.raises(mwaa.exceptions.ValidationException):
        mwaa.update_environment(Name=name)

    found = until(
        lambda: next((e for e in [mwaa.get_environment(Name=name)["Environment"]] if e["Status"] == "AVAILABLE"), None)
    )

    shape = botocore.session.get_session().get_service_model("mwaa").shape_for("Environment")
    assert not ParamValidator().validate(found, shape).has_errors()
    with pytest.raises(ClientError) as refused:
        mwaa.invoke_rest_api(Name=name, Method="GET", Path="/nothing")
    assert refused.value.response["RestApiStatusCode"] == 404
    assert mwaa.invoke_rest_api(Name=name, Method="GET", Path="/dags")["RestApiResponse"]["dags"] == []
    server.ask("POST", f"mwaa/{name}/fail", {"error": "no more room"})
    mwaa.update_environment(Name=name)
    failed = until(lambda: mwaa.get_environment(Name=name)["Environment"].get("LastUpdate"))
    assert failed["Error"]["ErrorMessage"] == "no more room"
    mwaa.delete_environment(Name=name)
