"""What the doctor finds in an environment: of each kind one that is wrong and one that is right."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import Stubber

from aws import REGION, feed_of
from doctor import environment
from doctor.environment import ACCOUNTS_ALONE, CHECKS, Environment, looked
from doctor.told import Finding, NotChecked

FEED = feed_of("orders")
ECR = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/worker"


@pytest.fixture
def here(place) -> Environment:
    return Environment(place.settings(), [FEED], place.connect)


def whats(found):
    return [each.what for each in found]


def test_a_feed_without_a_queue(place, here):
    (found,) = environment.queues(here)
    assert found.what.startswith("feed orders: no queue http")

    place.queue(FEED)
    assert list(environment.queues(here)) == []


def register(place, image: str) -> None:
    place.connect("batch").register_job_definition(
        jobDefinitionName=place.settings().job_definition(FEED.name),
        type="container",
        platformCapabilities=["FARGATE"],
        containerProperties={
            "image": image,
            "jobRoleArn": "arn:aws:iam::123456789012:role/job",
            "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
            "resourceRequirements": [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}],
        },
    )


def test_a_feed_without_a_job_definition(place, here):
    (found,) = environment.job_definitions(here)
    assert "job definition" in found.what

    register(place, f"{ECR}:1")
    assert list(environment.job_definitions(here)) == []


def images(place, here, *answers) -> list:
    """Return what is told of the images when ECR answers so."""
    ecr = boto3.client("ecr", region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(ecr) as stub:
        for add in answers:
            add(stub)

        def client(name):
            return ecr if name == "ecr" else place.connect(name)

        return list(environment.images(Environment(here.settings, here.feeds, client)))


def test_an_image_that_is_not_there(place, here):
    register(place, f"{ECR}:7")
    asked = {"repositoryName": "worker", "imageIds": [{"imageTag": "7"}]}

    gone = images(place, here, lambda stub: stub.add_client_error("describe_images", "ImageNotFoundException"))
    there = images(
        place, here, lambda stub: stub.add_response("describe_images", {"imageDetails": []}, asked), of("amd64")
    )

    assert whats(gone) == [f"image {ECR}:7 isn't in ECR"]
    assert there == []


def of(*architectures: str):
    """Return what has ECR answer with an image for these processors; none: one whose manifest doesn't say."""
    manifests = [{"platform": {"architecture": each, "os": "linux"}} for each in architectures]
    manifest = json.dumps({"manifests": manifests} if manifests else {"config": {}})
    return lambda stub: stub.add_response("batch_get_image", {"images": [{"imageManifest": manifest}]})


@pytest.mark.parametrize(
    ("architectures", "told"),
    [
        (["arm64"], [f"image {ECR}:7 is for arm64, and containers have amd64"]),
        (["arm64", "amd64", "unknown"], []),
        ([], [f"processors of image {ECR}:7"]),
    ],
)
def test_an_image_for_other_processors(place, here, architectures, told):
    register(place, f"{ECR}:7")
    found = images(
        place, here, lambda stub: stub.add_response("describe_images", {"imageDetails": []}), of(*architectures)
    )
    assert whats(found) == told


def test_a_queue_whose_feed_is_gone(place, here):
    place.queue(FEED)
    assert list(environment.left_overs(here)) == []
    gone = feed_of("gone")
    url = place.queue(gone)
    assert whats(environment.left_overs(here)) == [f"the queue {url} is of no feed"]


def test_what_the_shell_may_not_read(place, here):
    assert place.table
    assert list(environment.permissions(here)) == []

    def refuse(**_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListObjectsV2")

    s3 = SimpleNamespace(list_objects_v2=refuse)
    told = whats(
        environment.permissions(replace(here, client=lambda name: s3 if name == "s3" else place.connect(name)))
    )
    assert len(told) == 2
    assert told[0].startswith(f"the bucket {here.settings.new_files} can't be read: ")


@pytest.mark.parametrize(("roles", "is_new", "wrong"), [(1000, True, True), (999, True, False), (1000, False, False)])
def test_an_account_without_room_for_the_role_of_a_new_feed(place, here, roles, is_new, wrong):
    if not is_new:
        register(place, "filebatch-worker:local")
    iam = SimpleNamespace(get_account_summary=lambda: {"SummaryMap": {"Roles": roles, "RolesQuota": 1000}})
    told = environment.roles(replace(here, client=lambda name: iam if name == "iam" else place.connect(name)))
    assert whats(told) == ["the account has 1000 roles of 1000 that it may have; new feeds: 1"] * wrong


def test_an_image_of_a_laptop_is_not_looked_at(place, here):
    register(place, "filebatch-worker:local")
    assert images(place, here) == [NotChecked("image filebatch-worker:local", "it isn't in ECR")]


def topics(*subscriptions: str) -> Environment:
    """Return an environment whose topics have these subscriptions."""
    found = [{"SubscriptionArn": arn, "Protocol": "email", "Endpoint": "somebody"} for arn in subscriptions]
    sns = SimpleNamespace(get_paginator=lambda name: SimpleNamespace(paginate=lambda **_: [{"Subscriptions": found}]))
    settings = SimpleNamespace(topics={"developers": "arn:dev"})
    return Environment(settings, [], lambda service: sns)


def test_who_is_told_of_nothing():
    assert whats(environment.subscriptions(topics())) == ["nobody has subscribed to arn:dev"]
    assert whats(environment.subscriptions(topics("PendingConfirmation"))) == [
        "email subscription to arn:dev isn't confirmed"
    ]
    assert list(environment.subscriptions(topics("arn:dev:1"))) == []


@pytest.mark.parametrize(("allowed", "wrong"), [(1.0, True), (100_000.0, False)])
def test_more_vcpus_than_the_account_has(place, here, allowed, wrong):
    quotas = SimpleNamespace(get_service_quota=lambda **_: {"Quota": {"Value": allowed}})
    told = list(
        environment.quotas(
            Environment(here.settings, [], lambda name: quotas if name == "service-quotas" else place.connect(name))
        )
    )
    assert [isinstance(each, Finding) for each in told] == [True] * wrong


FULL = "the account has 50 job queues in this region, of 50 that it may have"


def with_queues(place, here, number):
    """Return an environment in a region with so many job queues."""
    batch, paginator = place.connect("batch"), place.connect("batch").get_paginator
    many = SimpleNamespace(paginate=lambda: [{"jobQueues": [{}] * 30}, {"jobQueues": [{}] * (number - 30)}])
    full = SimpleNamespace(
        get_paginator=lambda name: many if name == "describe_job_queues" else paginator(name),
        describe_job_queues=batch.describe_job_queues,
        describe_compute_environments=batch.describe_compute_environments,
    )
    quota = SimpleNamespace(get_service_quota=lambda **_: {"Quota": {"Value": 100_000.0}})
    return replace(here, client=lambda name: quota if name == "service-quotas" else full)


@pytest.mark.parametrize(("number", "full"), [(50, [FULL]), (49, [])])
def test_a_region_without_room_for_the_environments_job_queue(place, here, number, full):
    missing = replace(here, settings=replace(here.settings, job_queue="gone"))
    assert whats(environment.quotas(with_queues(place, missing, number))) == [*full, "no job queue gone"]


def test_a_full_region_that_has_the_environments_job_queue_is_no_fault(place, here):
    (told,) = environment.quotas(with_queues(place, here, 50))
    assert told == NotChecked("whether job queues are to be replaced, which takes room", FULL)


@pytest.mark.parametrize(("apart", "wrong"), [(timedelta(minutes=6), True), (timedelta(seconds=9), False)])
def test_clocks_that_are_apart(here, apart, wrong):
    header = {"ResponseMetadata": {"HTTPHeaders": {"date": format_datetime(datetime.now(UTC) - apart)}}}
    sqs = SimpleNamespace(list_queues=lambda **_: header)
    assert len(list(environment.clocks(Environment(here.settings, [], lambda name: sqs)))) == wrong
    assert list(environment.clocks(here)) == []


@pytest.mark.parametrize(
    "refused",
    [ClientError({"Error": {"Code": "AccessDenied"}}, "ListQueues"), EndpointConnectionError(endpoint_url="http://x")],
)
def test_what_aws_does_not_tell_is_not_checked(here, refused):
    def check(_):
        raise refused
        yield

    (told,) = looked(here, "queues", check)
    assert told == NotChecked("queues", str(refused))


@pytest.mark.parametrize("name", sorted(ACCOUNTS_ALONE))
def test_what_a_laptop_has_not_is_not_checked(here, name):
    (told,) = looked(here, name, CHECKS[name])
    assert isinstance(told, NotChecked)


@pytest.mark.parametrize(
    ("url", "is_aws"),
    [
        ("https://sts.eu-west-1.amazonaws.com", True),
        ("https://sts.cn-north-1.amazonaws.com.cn", True),
        ("http://127.0.0.1:4566", False),
        ("https://amazonaws.com.example.org", False),
    ],
)
def test_which_endpoints_are_aws(url, is_aws):
    assert environment.is_aws(url) is is_aws


def test_without_a_job_queue_nothing_can_run(here):
    gone = replace(here.settings, job_queue="gone")
    quotas = SimpleNamespace(get_service_quota=lambda **_: {"Quota": {"Value": 100.0}})
    batch = here.client("batch")
    told = environment.quotas(Environment(gone, [], lambda name: quotas if name == "service-quotas" else batch))
    assert whats(told) == ["no job queue gone"]
