"""What services do to queues, topics, keys and roles is let through by these resources' own policies, as rendered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from infra import calls, judged, resource_policies
from infra.applied import PREFIX, REGION, Applied
from infra.policies import Call
from infra.resource_policies import TLS, Resource, Resources

pytestmark = [pytest.mark.terraform, pytest.mark.airflow]

ACCOUNT = ("aws:SourceAccount", calls.ACCOUNT)


@pytest.fixture(scope="module")
def resources(done: Applied) -> Resources:
    """The resources of the environment that Terraform made, with the policies that they have there."""
    return dict([*_queues(done), *_topics(done), *_keys(done), *_buckets(done), *_roles(done)])


@pytest.fixture(scope="module")
def made(done: Applied, resources: Resources) -> Sequence[Call]:
    """What services did, and what stands for what no test of this folder has them do."""
    services = list(dict.fromkeys([*seen(done, resources), *_stand_ins(done, resources)]))
    return [*services, *resource_policies.of_keys(services, resources), *_logs(done)]


def seen(done: Applied, resources: Resources) -> list[Call]:
    recorded = resource_policies.told(done.recording.read_text(encoding="utf-8").splitlines())
    return [call for call in recorded if call.resource in resources]


def _stand_ins(done: Applied, resources: Resources) -> list[Call]:
    return [*_deliveries(done), *_alarms(done), *_taken_roles(resources)]


def _statements(policy: Any) -> list[dict[str, Any]]:
    document = json.loads(policy) if isinstance(policy, str) else policy
    return list(document["Statement"])


def _queues(done: Applied) -> Iterator[tuple[str, Resource]]:
    sqs = done.client("sqs")
    for url in sqs.list_queues(QueueNamePrefix=PREFIX)["QueueUrls"]:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        yield found["QueueArn"], Resource(_statements(found["Policy"]), found.get("KmsMasterKeyId"))


def _topics(done: Applied) -> Iterator[tuple[str, Resource]]:
    sns = done.client("sns")
    for arn in done.settings["topics"].values():
        found = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        yield arn, Resource(_statements(found["Policy"]), found.get("KmsMasterKeyId"))


def _keys(done: Applied) -> Iterator[tuple[str, Resource]]:
    """Yield the key of queues, topics and logs; AWS's own keys' policies aren't ours."""
    kms = done.client("kms")
    named = {each["TargetKeyId"] for each in kms.list_aliases()["Aliases"] if PREFIX in each["AliasName"]}
    for key in kms.list_keys()["Keys"]:
        if key["KeyId"] in named:
            policy = kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"]
            yield key["KeyArn"], Resource(_statements(policy))


def _buckets(done: Applied) -> Iterator[tuple[str, Resource]]:
    s3 = done.client("s3")
    for name in done.settings["buckets"].values():
        yield f"arn:aws:s3:::{name}", Resource(_statements(s3.get_bucket_policy(Bucket=name)["Policy"]))


def _roles(done: Applied) -> Iterator[tuple[str, Resource]]:
    for role in done.client("iam").list_roles()["Roles"]:
        if role["RoleName"].startswith(PREFIX):
            yield role["Arn"], Resource(_statements(role["AssumeRolePolicyDocument"]))


def _deliveries(done: Applied) -> Iterator[Call]:
    """What EventBridge sends to the targets of rules, and to their dead-letter queues what it couldn't deliver."""
    events = done.client("events")
    for rule in events.list_rules(NamePrefix=PREFIX)["Rules"]:
        of_rule = (ACCOUNT, TLS, ("aws:SourceArn", rule["Arn"]))
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
            for arn in (target["Arn"], target["DeadLetterConfig"]["Arn"]):
                if ":sns:" in arn:
                    yield Call("events.amazonaws.com", "sns:Publish", arn, (TLS,))
                else:
                    yield Call("events.amazonaws.com", "sqs:SendMessage", arn, tuple(sorted(of_rule)))


def _alarms(done: Applied) -> Iterator[Call]:
    alarms = done.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=PREFIX)
    for alarm in (each for page in alarms for each in page["MetricAlarms"]):
        for topic in {*alarm["AlarmActions"], *alarm["OKActions"]}:
            context = (TLS, ("aws:SourceArn", alarm["AlarmArn"]), ACCOUNT)
            yield Call("cloudwatch.amazonaws.com", "sns:Publish", topic, context)


def _taken_roles(resources: Resources) -> Iterator[Call]:
    """Batch takes its own role, and ECS those of the jobs of every feed, of which those of `lines` alone are seen."""
    for arn in resources:
        if arn.endswith("-batch-service"):
            yield Call("batch.amazonaws.com", "sts:AssumeRole", arn, (TLS,))
        elif "-iam-job-" in arn:
            yield Call("ecs-tasks.amazonaws.com", "sts:AssumeRole", arn, tuple(sorted([ACCOUNT, TLS])))


def _logs(done: Applied) -> Iterator[Call]:
    """CloudWatch Logs uses the key of a group in the group's name.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """
    for group in done.client("logs").describe_log_groups()["logGroups"]:
        if key := group.get("kmsKeyId"):
            arn = group["arn"].removesuffix(":*")
            context = (TLS, ("kms:EncryptionContext:aws:logs:arn", arn))
            for action in ("kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:GenerateDataKey", "kms:DescribeKey"):
                yield Call(f"logs.{REGION}.amazonaws.com", action, key, context)


def test_services_are_let_in(made, resources) -> None:
    assert resource_policies.refused(made, resources) == []


def test_what_stands_for_calls_is_what_was_seen(done: Applied, resources) -> None:
    stand_ins = _stand_ins(done, resources)
    found = {call for call in seen(done, resources) if not call.resource.endswith("-iam-execution")}
    assert found - set(stand_ins) == set()
    assert {call.role for call in found} == {"events.amazonaws.com", "ecs-tasks.amazonaws.com"}


def test_each_kind_of_call_was_made(made) -> None:
    found = {(call.role.partition(".")[0], call.action) for call in made}
    assert found >= {
        ("events", "sqs:SendMessage"),
        ("events", "sns:Publish"),
        ("events", "kms:GenerateDataKey"),
        ("cloudwatch", "sns:Publish"),
        ("cloudwatch", "kms:Decrypt"),
        ("ecs-tasks", "sts:AssumeRole"),
        ("batch", "sts:AssumeRole"),
        ("logs", "kms:Encrypt"),
    }


def test_nobody_is_let_in_whom_nothing_needs(made, resources) -> None:
    assert resource_policies.idle(made, resources) == []


def test_without_any_one_statement_a_service_is_refused(made, resources) -> None:
    for arn, resource in resources.items():
        for number, each in enumerate(resource.statements):
            if each["Effect"] == "Allow" and "Service" in each["Principal"]:
                rest = Resource([*resource.statements[:number], *resource.statements[number + 1 :]], resource.key)
                assert resource_policies.refused(made, {**resources, arn: rest}), f"nothing needs {arn} {each}"


def test_for_another_rule_or_account_no_service_is_let_in(made, resources) -> None:
    """Where a policy has conditions, they are about something that a call has."""
    strange = {"aws:SourceArn": "arn:aws:events:eu-west-1:999999999999:rule/x", "aws:SourceAccount": "999999999999"}
    for call in made:
        asked = {key for each in resources[call.resource].statements for key in _keys_of(each, call)}
        if asked & strange.keys():
            other = Call(call.role, call.action, call.resource, tuple((k, strange.get(k, v)) for k, v in call.context))
            assert resource_policies.refused([other], resources) == [other]


def _keys_of(statement: dict[str, Any], call: Call) -> set[str]:
    services = [] if statement["Principal"] == "*" else statement["Principal"].get("Service", [])
    if call.role not in ([services] if isinstance(services, str) else services):
        return set()
    return {key for keys in statement.get("Condition", {}).values() for key in keys}


def test_no_resource_denies_what_a_role_did(done: Applied, resources) -> None:
    lines = done.recording.read_text(encoding="utf-8").splitlines()
    for call in calls.read(lines, judged.role_of):
        arn = re.sub(r"(:s3:::[^/]+)/.*", r"\1", call.resource)
        tls = Call(call.role, call.action, call.resource, (*call.context, TLS))
        assert arn not in resources or not resource_policies.denies(resources[arn].statements, tls), call


def test_without_tls_everybody_is_denied(made, resources) -> None:
    for call in made:
        if call.action in {"sqs:SendMessage", "sns:Publish"}:
            context = tuple((key, "false" if key == TLS[0] else value) for key, value in call.context)
            plain = Call(call.role, call.action, call.resource, context)
            assert resource_policies.denies(resources[call.resource].statements, plain)
