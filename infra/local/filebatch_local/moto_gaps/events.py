"""What moto's EventBridge lacks: SNS as a target, disabled rules, S3's events as AWS documents them.

What is missing in moto 5.2.5, each shown by a test in tests/local/moto_gaps/test_events.py:

- a rule whose target is an SNS topic raises NotImplementedError and takes its other targets with it;
- a disabled rule fires;
- a delivered event lacks `account`, as it passes through a default template;
- S3's events say `eTag` for `etag`, have one sequencer for all, "ObjectCreated" for the reason, a version-id "null"
  in buckets without versions, and one id for all.
"""

from __future__ import annotations

import copy
import functools
import itertools
import json
import logging
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import moto.events.models as moto_events
from moto.s3 import notifications

from filebatch_local.base import service_calls
from filebatch_local.base.mean import Mean

log = logging.getLogger(__name__)

Event = dict[str, Any]

_REASONS = {
    "ObjectCreated:Put": "PutObject",
    "ObjectCreated:Post": "POST Object",
    "ObjectCreated:Copy": "CopyObject",
    "ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    "ObjectRemoved:Delete": "DeleteObject",
}
_sequence = itertools.count(int(time.time() * 1000) << 20)


def event(account: str, region: str, source: str, kind: str, resources: list[str], detail: Event) -> Event:
    """Return an event in EventBridge's envelope; its time is seconds since 1970, as moto's targets expect."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": source,
        "account": account,
        "time": time.time(),
        "region": region,
        "resources": resources,
        "detail": detail,
    }


def deliver(account: str, region: str, one: Event) -> None:
    """Send an event of an AWS service to every rule of the default bus that it matches."""
    for rule in list(_rules(account, region)):
        rule.send_to_targets(one)


def is_listened_to(account: str, region: str, source: str) -> bool:
    """Tell whether any rule of the default bus may match events of a source."""
    return any(
        source in rule.event_pattern.get_pattern().get("source", [source]) for rule in list(_rules(account, region))
    )


def _rules(account: str, region: str) -> Any:
    return moto_events.events_backends[account][region].event_buses["default"].rules.values()


class _Rule(moto_events.Rule):  # type: ignore[misc]  # moto's classes are untyped here
    """A rule that sends to SNS topics, may be disabled, and sends the whole event."""

    def send_to_targets(self, original_event: Event, transform_input: bool = True) -> None:  # noqa: ARG002 - moto's
        """Send an event to every target; an error is logged and the others still get it."""
        if self.state != "ENABLED" or not self.event_pattern.matches_event(original_event):
            return
        one = {name: value for name, value in original_event.items() if name != "ingestion-time"}
        for target in list(self.targets):
            try:
                self._tell(target["Arn"])
                self._publish(target, one) if ":sns:" in target["Arn"] else self._send_to(target, one)
            except Exception:
                log.exception("rule %s could not deliver to %s", self.name, target["Arn"])

    def _tell(self, target: str) -> None:
        """Tell what EventBridge does. To topics it doesn't say for which rule: their policies may have no conditions.

        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
        """
        if ":sns:" in target:
            service_calls.tell("events", "sns:Publish", target)
        elif ":sqs:" in target:
            service_calls.tell(
                "events", "sqs:SendMessage", target, SourceArn=self.arn, SourceAccount=str(self.account_id)
            )

    def _publish(self, target: dict[str, Any], one: Event) -> None:
        from moto.sns.models import sns_backends

        topics = sns_backends[self.account_id][self.region_name]
        topics.publish(arn=target["Arn"], message=json.dumps(self._input(target, _with_iso_time(one))))

    def _send_to(self, target: dict[str, Any], one: Event) -> None:
        alone = object.__new__(_Rule)  # moto registers what is made the usual way
        alone.__dict__ = {**self.__dict__, "targets": [target]}
        super(_Rule, alone).send_to_targets(copy.deepcopy(one), transform_input="InputTransformer" in target)

    @staticmethod
    def _input(target: dict[str, Any], one: Event) -> Any:
        transformer = target.get("InputTransformer")
        if not transformer:
            return one
        return moto_events.EventTemplateParser.parse(
            input_template=transformer["InputTemplate"],
            input_paths_map=transformer.get("InputPathsMap", {}),
            event={**one, "ingestion-time": one["time"]},
        )


def _with_iso_time(one: Event) -> Event:
    written = datetime.fromtimestamp(float(one["time"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**one, "time": written}


def s3_detail(event_name: str, bucket: Any, key: Any) -> Event:
    """Return the detail of an S3 event.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    """
    name = event_name.removeprefix("s3:")
    found: Event = {
        "key": key.name,
        "sequencer": f"{next(_sequence):016X}",
        "size": key.size,
        "etag": key.etag.strip('"'),
    }
    if key.version_id != "null":
        found["version-id"] = key.version_id
    detail = {"version": "0", "bucket": {"name": bucket.name}, "object": found, "reason": _REASONS.get(name, name)}
    if name == "ObjectRemoved:Delete":
        detail["deletion-type"] = "Permanently Deleted"
    return detail | {
        "request-id": uuid.uuid4().hex[:16].upper(),
        "requester": bucket.account_id,
        "source-ip-address": "127.0.0.1",
    }


def _send_s3_event(mean: Mean, account_id: str, bucket: Any, event_name: Any, key: Any) -> None:
    name = str(getattr(event_name, "value", event_name))
    kind = notifications._detail_type(event_name)
    one = event(account_id, bucket.region_name, "aws.s3", kind, [bucket.arn], s3_detail(name, bucket, key))
    for late in deliveries(mean):
        if late:
            timer = threading.Timer(late, deliver, (account_id, bucket.region_name, one))
            timer.daemon = True
            timer.start()
        else:
            deliver(account_id, bucket.region_name, one)


def deliveries(mean: Mean) -> list[float]:
    """Return how many seconds late S3's next event is delivered, each time that it is.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html: at least once, typically in seconds
    """
    if mean.mishap("event lost") is not None:
        return []
    return [mean.late("event late") for _ in range(1 if mean.mishap("event twice") is None else 2)]


def install(mean: Mean) -> None:
    """Replace moto's classes."""
    moto_events.Rule = _Rule
    notifications._send_event_bridge_message = functools.partial(_send_s3_event, mean)
