"""A local AWS to which Terraform was applied."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from e2e.tasks import DagRun, Run
from filebatch.core.ledger import Ledger
from filebatch.core.records import FileRecord
from filebatch.feeds.feed import Feed
from filebatch_local.serve.background import LocalAws
from infra.terraform import Workspace

PREFIX = "acme-test"
MWAA_PREFIX = "acme-mwaa"
REGION = "eu-west-1"


@dataclass(frozen=True)
class Applied:
    """A local AWS to which Terraform was applied, beside what the local AWS provisioned itself."""

    aws: LocalAws
    terraform: Workspace
    outputs: Mapping[str, Any]
    recording: Path

    @cached_property
    def settings(self) -> dict[str, Any]:
        return dict(json.loads(self.outputs["settings"]))

    def client(self, service: str) -> Any:
        return self.aws.client(service, "partner")

    def put(self, key: str, content: str) -> str:
        bucket = self.settings["buckets"]["new_files"]
        return str(self.client("s3").put_object(Bucket=bucket, Key=key, Body=content.encode())["VersionId"])

    def item(self, key: str) -> dict[str, Any]:
        """Return a file's item as DynamoDB has it."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.settings["ledger"])
        return next(item for page in pages for item in page["Items"] if item.get("key") == {"S": key})

    def states(self) -> dict[str, str]:
        ledger = Ledger(self.client("dynamodb"), self.settings["ledger"])
        return {file.key: str(file.state) for file in ledger.scan() if isinstance(file, FileRecord)}

    def run(self, feed: Feed, **facts: Any) -> Run:
        params = facts.pop("params", {})
        return Run(feed, self.settings, DagRun(feed.name, f"run-{datetime.now(UTC).isoformat()}", **facts), params)

    def statements(self, role: str) -> list[dict[str, Any]]:
        return list(json.loads(self.outputs["policies"][role])["Statement"])
