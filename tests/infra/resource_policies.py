"""What AWS's services and our roles do, judged by the policies of what they do it to: pure functions.

A service is let in by nothing but the resource's policy; a role of the account by its own as well, so of a resource's
policy only what it denies counts for it. An encrypted queue or topic asks its key, too.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra import policies
from infra.policies import Call, Statement

TLS = ("aws:SecureTransport", "true")
KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")


@dataclass(frozen=True)
class Resource:
    """A queue, topic, bucket, key or role: its policy's statements, and the ARN of the key that encrypts it."""

    statements: Sequence[Statement] = field(hash=False)
    key: str | None = None


Resources = Mapping[str, Resource]  # by ARN


def told(lines: Iterable[str]) -> list[Call]:
    """Read what services did from a recording, each once."""
    found = (json.loads(line) for line in lines)
    return list(dict.fromkeys(_call(each) for each in found if "by" in each))


def _call(each: Mapping[str, Any]) -> Call:
    return Call(each["by"], each["action"], each["resource"], tuple(sorted([*each["context"].items(), TLS])))


def of_keys(calls: Iterable[Call], resources: Resources) -> Iterator[Call]:
    """Yield what services ask of the keys of encrypted queues and topics, as part of what they do.

    EventBridge says nothing of whom it does it for; CloudWatch names its account.
    """
    for call in calls:
        key = resources[call.resource].key
        if key:
            yield from (Call(call.role, action, key, _of_account(call)) for action in KEY_ACTIONS)


def _of_account(call: Call) -> tuple[tuple[str, str], ...]:
    if call.role == "events.amazonaws.com":
        return (TLS,)
    return tuple(pair for pair in call.context if pair[0] != "aws:SourceArn")


def refused(calls: Iterable[Call], resources: Resources) -> list[Call]:
    """Return the calls of services that the policies don't let through."""
    return [call for call in calls if not lets_in(resources[call.resource].statements, call)]


def lets_in(statements: Sequence[Statement], call: Call) -> bool:
    """Tell whether a resource's policy allows a service's call, and denies it nowhere."""
    allowed = any(each["Effect"] == "Allow" and _is_about(each, call) for each in statements)
    return allowed and not denies(statements, call)


def denies(statements: Sequence[Statement], call: Call) -> bool:
    """Tell whether a resource's policy denies a call."""
    return any(each["Effect"] == "Deny" and _is_about(each, call) for each in statements)


def _is_about(statement: Statement, call: Call) -> bool:
    anything = {"Resource": "*"} if "Resource" not in statement and "NotResource" not in statement else {}
    plain = {name: value for name, value in statement.items() if name != "Principal"} | anything
    return _names(statement["Principal"], call.role) and policies.allows({**plain, "Effect": "Allow"}, call)


def _names(principal: Any, who: str) -> bool:
    if principal == "*":
        return True
    return who in policies.listed(principal.get("Service", [])) or "*" in policies.listed(principal.get("AWS", []))


def idle(calls: Sequence[Call], resources: Resources) -> list[str]:
    """Return the statements that let services in and that no call needs, as `ARN Sid`."""
    return [
        f"{arn} {each.get('Sid', 'trust')}"
        for arn, resource in resources.items()
        for each in resource.statements
        if each["Effect"] == "Allow" and "Service" in each["Principal"]
        if not any(call.resource == arn and _is_about(each, call) for call in calls)
    ]
