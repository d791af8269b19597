"""What an environment tells: whether what the feeds need is there, and whether anybody would be told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from doctor.starting import starting
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
PROCESSORS = {"X86_64": "amd64", "ARM64": "arm64"}
# https://docs.aws.amazon.com/general/latest/gr/fargate-service.html
VCPU_QUOTA = ("fargate", "L-3032A538")
# https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html
ROOM = 50
ROOMS = (
    ("describe_job_queues", "jobQueues", "job queues"),
    ("describe_compute_environments", "computeEnvironments", "compute environments"),
)


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


def left_overs(here: Environment) -> Iterator[Told]:
    """Tell of each queue whose feed is gone."""
    sqs, names = here.client("sqs"), [feed.name for feed in here.feeds]
    known = {url for name in names for url in (here.settings.queue(name), here.settings.dead_letters(name))}
    prefix = here.settings.queue_prefix.rpartition("/")[2]
    pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix=prefix)
    for url in (url for page in pages for url in page.get("QueueUrls", []) if url not in known):
        yield Finding(f"the queue {url} is of no feed", "what arrives in it is read by nobody", APPLY)


def permissions(here: Environment) -> Iterator[Told]:
    """Tell of each thing that the shell's credentials may not even read; nothing is changed to find out."""
    settings, topic = here.settings, here.settings.topics["developers"]
    reads: dict[str, Callable[[], object]] = {
        f"the bucket {settings.new_files}": lambda: _listed(here, settings.new_files),
        f"the bucket {settings.buckets['results']}": lambda: _listed(here, settings.buckets["results"]),
        f"the ledger {settings.ledger}": lambda: here.client("dynamodb").describe_table(TableName=settings.ledger),
        f"the topic {topic}": lambda: here.client("sns").get_topic_attributes(TopicArn=topic),
        "the jobs": lambda: here.client("batch").describe_job_queues(jobQueues=[settings.job_queue]),
    }
    for what, read in reads.items():
        try:
            read()
        except ClientError as error:
            why = " ".join(str(error).split())
            yield Finding(
                f"{what} can't be read: {why}",
                "neither the doctor nor the deployment sees what is there",
                "take credentials of this environment's account that may; where it isn't there, `terraform apply`",
            )


def _listed(here: Environment, bucket: str) -> object:
    return here.client("s3").list_objects_v2(Bucket=bucket, MaxKeys=1)


def roles(here: Environment) -> Iterator[Told]:
    """Tell where the account has no room for the roles of feeds that are new: each feed has one."""
    found = here.client("iam").get_account_summary()["SummaryMap"]
    room = max(0, found["RolesQuota"] - found["Roles"])
    new = len(list(job_definitions(here))) if room < len(here.feeds) else 0
    if new > room:
        yield Finding(
            f"the account has {found['Roles']} roles of {found['RolesQuota']} that it may have; new feeds: {new}",
            "they can't be made, as each has a role",
            "have AWS raise the quota of IAM roles, or remove roles that nobody uses",
        )


def images(here: Environment) -> Iterator[Told]:
    """Tell of each image that isn't there, or isn't for the processors of its feed's containers."""
    known: dict[tuple[str, str], list[Told]] = {}
    for feed in here.feeds:
        name = here.settings.job_definition(feed.name)
        found = here.client("batch").describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
        for image in {each["containerProperties"]["image"] for each in found}:
            key = (image, PROCESSORS[feed.architecture])
            if key not in known:
                known[key] = list(_image(here, *key))
                yield from known[key]


def _image(here: Environment, image: str, processor: str) -> Iterator[Told]:
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
        return
    yield from _platform(here, image, place["repository"], wanted, processor)


def _platform(here: Environment, image: str, repository: str, wanted: dict[str, str], processor: str) -> Iterator[Told]:
    """Tell of an image that isn't for a processor; only an index says whom it is for."""
    answer = here.client("ecr").batch_get_image(repositoryName=repository, imageIds=[wanted])
    manifest = json.loads(answer["images"][0]["imageManifest"]) if answer["images"] else {}
    listed = [each.get("platform", {}).get("architecture") for each in manifest.get("manifests", [])]
    if not listed:
        yield NotChecked(f"processors of image {image}", "its manifest is of one platform and doesn't say which")
    elif processor not in listed:
        yield Finding(
            f"image {image} is for {', '.join(sorted(set(filter(None, listed))))}, and containers have {processor}",
            "its containers end at once with `exec format error`, and every file of a round fails",
            f"build it for linux/{processor}, too, or change the feed's architecture",
        )


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
    """Tell where the account allows fewer vCPUs of Fargate than the job queue may use, or no queue where none is."""
    service, code = VCPU_QUOTA
    allowed = here.client("service-quotas").get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"]
    batch = here.client("batch")
    queues = batch.describe_job_queues(jobQueues=[here.settings.job_queue])["jobQueues"]
    yield from _rooms(batch, is_there=bool(queues))
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


def _rooms(batch: Any, *, is_there: bool) -> Iterator[Told]:
    """Tell of what the region has no room for; where the queue is there, only a replacement needs some."""
    for operation, kind, words in ROOMS:
        count = sum(len(page[kind]) for page in batch.get_paginator(operation).paginate())
        if count < ROOM:
            continue
        full = f"the account has {count} {words} in this region, of {ROOM} that it may have"
        if is_there:
            yield NotChecked(f"whether {words} are to be replaced, which takes room", full)
        else:
            yield Finding(
                full,
                "the environment can't be made here",
                "remove those that nobody uses, or take another region: AWS doesn't raise this quota",
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
    "queues without a feed": left_overs,
    "job definitions": job_definitions,
    "images": images,
    "image start": starting,
    "subscriptions": subscriptions,
    "quotas": quotas,
    "roles": roles,
    "permissions": permissions,
}

# A laptop's mails are sent to nobody, its vCPUs are its own, and it has no quotas.
ACCOUNTS_ALONE = {"subscriptions", "quotas", "roles"}
