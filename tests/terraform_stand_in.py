"""Terraform and Docker as they behave towards an environment with MWAA, made on the local AWS by direct calls.

What Terraform makes is compared with the real one in tests/infra; here it is what a deployment sees of it that counts.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

import mwaa
from aws import REGION
from deploy.contents import of

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
ECR = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"


@dataclass
class StandIn:
    """One environment's Terraform: applied again it does what is left, as Terraform does.

    Attributes:
        made: makes what feeds need, where jobs are to run.
        host: the registry that images are pushed to.
    """

    connect: Callable[[str], Any]
    clone: Path
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    registry: bool = False
    applied: dict[str, Any] | None = None
    made: Callable[[], object] = lambda: None
    feeds_applied: list[list[str]] = field(default_factory=list)
    host: str = ECR

    def plan(self, variables: Mapping[str, str]) -> list[str]:
        wanted, known = self._wanted(variables), self.applied or {"image": None, "feeds": {}}
        if self.applied is None:
            return ["+ module.ledger", "+ module.mwaa[0]", *([] if self.registry else ["+ module.registry"])]
        image = ["~ module.batch"] if wanted["image"] != known["image"] else []
        new = [f"+ module.events[{name}]" for name in sorted(set(wanted["feeds"]) - set(known["feeds"]))]
        gone = [f"- module.events[{name}]" for name in sorted(set(known["feeds"]) - set(wanted["feeds"]))]
        return [*image, *new, *gone]

    def _wanted(self, variables: Mapping[str, str]) -> dict[str, Any]:
        folder = Path(variables.get("feeds_dir", self.clone / "dags" / "feeds"))
        feeds = {file.stem: of(file.read_bytes()) for file in folder.glob("*.yaml")}
        return {"image": variables["image_tag"], "feeds": feeds}

    def apply(self, variables: Mapping[str, str], target: str | None = None) -> None:
        if not self.registry:
            self.connect("ecr").create_repository(repositoryName=self.name)
            self.registry = True
        if target:
            return
        self._bucket()
        self._secret()
        self._environment()
        self.made()
        self.applied = self._wanted(variables)
        self.feeds_applied.append(sorted(self.applied["feeds"]))

    def _bucket(self) -> None:
        s3 = self.connect("s3")
        if self.name not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": REGION})
        if s3.get_bucket_versioning(Bucket=self.name).get("Status") != "Enabled":
            s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def _secret(self) -> None:
        secrets = self.connect("secretsmanager")
        try:
            secrets.describe_secret(SecretId=f"{self.name}/variables/filebatch")
        except ClientError:
            secrets.create_secret(Name=f"{self.name}/variables/filebatch", SecretString=json.dumps(self.settings))

    def _environment(self) -> None:
        if self.name not in self.connect("mwaa").list_environments()["Environments"]:
            packed = (self.clone / "infra" / "build" / "plugins.zip").read_bytes()
            mwaa.Environment(self.connect, self.name).create(packed, (self.clone / "requirements.txt").read_bytes())

    def outputs(self) -> dict[str, Any]:
        url = {"repository_url": f"{self.host}/{self.name}"} if self.registry else {}
        if self.applied is None:
            return url
        secret = f"{self.name}/variables/filebatch"
        return {
            **url,
            "airflow_bucket": self.name,
            "mwaa_environment": self.name,
            "settings": json.dumps(self.settings),
            "settings_secret_arn": self.connect("secretsmanager").describe_secret(SecretId=secret)["ARN"],
        }

    def destroy(self, variables: Mapping[str, str]) -> None:
        self.connect("mwaa").delete_environment(Name=self.name)
        self.connect("ecr").delete_repository(repositoryName=self.name, force=True)
        self.registry, self.applied = False, None


@dataclass
class Engine:
    """Docker's engine: what is pushed is in the local AWS's registry."""

    connect: Callable[[str], Any]
    missing: str | None = None
    pushed: list[tuple[str, list[str]]] = field(default_factory=list)

    def problem(self) -> str | None:
        return self.missing

    def push(self, image: str, platforms: list[str], login: tuple[str, str]) -> None:
        assert login[0] == "AWS"
        name, _, tag = image.rpartition(":")
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"digest": f"sha256:{of(tag.encode())}"},
                "layers": [],
            }
        )
        self.connect("ecr").put_image(repositoryName=name.partition("/")[2], imageManifest=manifest, imageTag=tag)
        self.pushed.append((image, platforms))
