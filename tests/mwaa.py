"""An environment of the local AWS's MWAA, with the repository's own plugins and DAGs in its bucket."""

import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws import REGION, ROOT, until

ROLE = "arn:aws:iam::123456789012:role/airflow"
KWARGS = '{"variables_prefix": "%s/variables"}'


@dataclass(frozen=True)
class Environment:
    """A bucket, and an environment of the same name."""

    connect: Callable[[str], Any]
    name: str

    @property
    def s3(self) -> Any:
        return self.connect("s3")

    @property
    def mwaa(self) -> Any:
        return self.connect("mwaa")

    def get(self) -> dict[str, Any]:
        return dict(self.mwaa.get_environment(Name=self.name)["Environment"])

    def put(self, key: str, content: bytes) -> str:
        return str(self.s3.put_object(Bucket=self.name, Key=key, Body=content)["VersionId"])

    def create(self, plugins: bytes, requirements: bytes, **options: str) -> None:
        """Make the environment, as Terraform does, and wait until it's there."""
        configuration = {
            "core.dags_are_paused_at_creation": "False",
            "secrets.backend_kwargs": KWARGS % self.name,
            **options,
        }
        self.mwaa.create_environment(
            Name=self.name,
            ExecutionRoleArn=ROLE,
            SourceBucketArn=f"arn:aws:s3:::{self.name}",
            DagS3Path="dags/",
            NetworkConfiguration={"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]},
            PluginsS3Path="plugins.zip",
            PluginsS3ObjectVersion=self.put("plugins.zip", plugins),
            RequirementsS3Path="requirements.txt",
            RequirementsS3ObjectVersion=self.put("requirements.txt", requirements),
            AirflowConfigurationOptions=configuration,
        )
        until(lambda: self.get()["Status"] == "AVAILABLE")


def bucket(connect: Callable[[str], Any]) -> Environment:
    """Return a new bucket, as Terraform makes MWAA's, and no environment yet."""
    made = Environment(connect, f"mwaa-{uuid.uuid4().hex[:12]}")
    made.s3.create_bucket(Bucket=made.name, CreateBucketConfiguration={"LocationConstraint": REGION})
    made.s3.put_bucket_versioning(Bucket=made.name, VersioningConfiguration={"Status": "Enabled"})
    return made


def plugins_zip(folder: Any) -> bytes:
    """Return plugins.zip as `infra/plugins-zip` packs it."""
    target = folder / "plugins.zip"
    subprocess.run([sys.executable, ROOT / "infra" / "plugins-zip", target], check=True)
    return bytes(target.read_bytes())
