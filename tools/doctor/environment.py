"""What an environment tells: whether what the feeds need is there, and whether anybody would be told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from doctor.told import Finding, NotChecked, Told
from filebatch.core.errors import ConfigurationError
from filebatch.feeds.feed import Feed
from filebatch.feeds.settings import Settings
from filebatch.runs import infrastructure

# Signatures are refused that are older: https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html
CLOCKS_APART = timedelta(minutes=5)
APPLY = "run `terraform apply` in infra/ with these feeds"
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
ECR = re.compile(r"\d{12}\.dkr\.ecr\.[^/]+/(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?")
# https://docs.aws.amazon.com/general/latest/gr/fargate-service.html
VCPU_QUOTA = ("fargate", "L-3032A538")


@dataclass(frozen=True)
class Environment:
    """An environment as it is reached: settings, feeds, and a client of each service."""

    settings: Settings
    feeds: Sequence[Feed]
    client: Callable[[str], Any]


def queues(here: Environment) -> Iterator[Told]:
    """Tell of each feed without a queue."""
    for feed in here.feeds:
        url = here.settings.queue(feed.name)
        try:
            here.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        except ClientError as error:
            if error.response["Error"]["Code"] not in infrastructure.NO_QUEUE:
                raise
            yield Finding(f"feed {feed.name}: no queue {url}", "arrivals are noticed by sweeps alone", APPLY)


def job_definitions(here: Environment) -> Iterator[Told]:
    """Tell of each feed without an active job definition."""
    for feed in here.feeds:
        try:
            infrastructure.check_job_definition(here.client("batch"), here.settings, feed.name)
        except ConfigurationError as error:
            yield Finding(str(error), "its runs fail, and its files wait", APPLY)


def images(here: Environment) -> Iterator[Told]:
    """Tell of each image that isn't there."""
    known: dict[str, list[Told]] = {}
    for feed in here.feeds:
        name = here.settings.job_definition(feed.name)
        found = here.client("batch").describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
        for image in {each["containerProperties"]["image"] for each in found}:
            if image not in known:
                known[image] = list(_image(here, image))
                yield from known[image]


def _image(here: Environment, image: str) -> Iterator[Told]:
    place = ECR.fullmatch(image)
    if place is None:
        yield NotChecked(f"image {image}", "it isn't in ECR")
        return
    wanted = {"imageDigest": place["digest"]} if place["digest"] else {"imageTag": place["tag"] or "latest"}
    try:
        here.client("ecr").describe_images(repositoryName=place["repository"], imageIds=[wanted])
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"ImageNotFoundException", "RepositoryNotFoundException"}:
            raise
        yield Finding(f"image {image} isn't in ECR", "no job starts, and every file of its round fails", "push it")


def subscriptions(here: Environment) -> Iterator[Told]:
    """Tell of each topic that reaches nobody, and of each address that hasn't confirmed."""
    for who, topic in here.settings.topics.items():
        pages = here.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        found = [each for page in pages for each in page["Subscriptions"]]
        if not found:
            yield Finding(f"nobody has subscribed to {topic}", f"{who} aren't told of anything", "subscribe somebody")
        for each in found:
            if each["SubscriptionArn"] == "PendingConfirmation":
                yield Finding(
                    f"{each['Protocol']} subscription to {topic} isn't confirmed",
                    f"these {who} aren't told of anything",
                    "have its owner follow the link that AWS has sent, or subscribe anew",
                )


def quotas(here: Environment) -> Iterator[Told]:
    """Tell where the account allows fewer vCPUs of Fargate than the job queue may use."""
    service, code = VCPU_QUOTA
    allowed = here.client("service-quotas").get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"]
    batch = here.client("batch")
    queues = batch.describe_job_queues(jobQueues=[here.settings.job_queue])["jobQueues"]
    if not queues:
        yield Finding(f"no job queue {here.settings.job_queue}", "no job can be submitted, so that files wait", APPLY)
        return
    places = [each["computeEnvironment"] for each in queues[0]["computeEnvironmentOrder"]]
    described = batch.describe_compute_environments(computeEnvironments=places)["computeEnvironments"]
    asked = sum(each["computeResources"]["maxvCpus"] for each in described)
    if asked > allowed:
        yield Finding(
            f"the job queue may use {asked} vCPUs, the account {allowed:g} of Fargate in all",
            "jobs wait RUNNABLE for vCPUs that never come",
            "have AWS raise the quota L-3032A538, or lower max_vcpus",
        )


def clocks(here: Environment) -> Iterator[Told]:
    """Tell where this machine's clock and AWS's are apart."""
    answer = here.client("sqs").list_queues(MaxResults=1)
    theirs = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    apart = abs(datetime.now(UTC) - theirs)
    if apart > CLOCKS_APART:
        yield Finding(f"this clock and AWS's are {apart} apart", "AWS refuses what is signed here", "set the clock")


def looked(here: Environment, name: str, check: Callable[[Environment], Iterator[Told]]) -> Iterator[Told]:
    """Yield what a check tells; what AWS refuses to tell, and what a local AWS has none of, is told as not checked."""
    if name in ACCOUNTS_ALONE and not is_aws(here.client("sts").meta.endpoint_url):
        yield NotChecked(name, "a local AWS has none")
        return
    try:
        yield from check(here)
    except (ClientError, BotoCoreError) as error:
        yield NotChecked(name, " ".join(str(error).split()))


def is_aws(url: str) -> bool:
    """Tell whether an endpoint is AWS's own."""
    return str(urlsplit(url).hostname).endswith((".amazonaws.com", ".amazonaws.com.cn"))


CHECKS = {
    "clocks": clocks,
    "queues": queues,
    "job definitions": job_definitions,
    "images": images,
    "subscriptions": subscriptions,
    "quotas": quotas,
}

ACCOUNTS_ALONE = {"subscriptions", "quotas"}  # a laptop's mails are sent to nobody, and its vCPUs are its own
