"""The module of MWAA, applied by Terraform and its AWS provider as they are to the MWAA of the local AWS."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aws_smoke import terraform
from filebatch_local.serve.background import LocalAws, local_aws
from infra.proxy import to_mwaa
from infra.terraform import ROOT, Workspace

pytestmark = pytest.mark.terraform

NAME = "acme-mwaa-airflow"
MODULE = """
variable "max_workers" { default = 4 }

resource "aws_kms_key" "logs" {}

resource "aws_s3_bucket" "airflow" {
  bucket        = "acme-airflow"
  force_destroy = true
}

resource "aws_s3_bucket_versioning" "airflow" {
  bucket = aws_s3_bucket.airflow.id
  versioning_configuration { status = "Enabled" }
}

data "aws_vpc" "default" { default = true }

module "mwaa" {
  source = "./modules/mwaa"

  res_prefix         = "acme"
  tags               = { project = "files", owner = "für alle" }
  vpc_id             = data.aws_vpc.default.id
  subnet_ids         = ["subnet-1", "subnet-2"]
  bucket             = { name = aws_s3_bucket_versioning.airflow.bucket, arn = aws_s3_bucket.airflow.arn }
  execution_role_arn = "arn:aws:iam::123456789012:role/airflow"
  variables_prefix   = "acme/variables"
  plugins_zip        = "plugins.zip"
  requirements       = "requirements.txt"
  key_arn            = aws_kms_key.logs.arn
  source_cidrs       = ["10.0.0.0/8"]
  max_workers        = var.max_workers
}
"""


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    with local_aws(options=("--mwaa-takes", "1")) as running:
        yield running


@pytest.fixture
def workspace(aws: LocalAws, tmp_path: Path) -> Iterator[Workspace]:
    if not shutil.which("terraform"):
        pytest.skip("there is no terraform on the path")
    folder = tmp_path / "infra"
    shutil.copytree(ROOT / "infra" / "modules" / "mwaa", folder / "modules" / "mwaa")
    shutil.copy(ROOT / "infra" / "modules" / "mwaa" / "versions.tf", folder)
    shutil.copy(ROOT / "requirements.txt", folder)
    subprocess.run([sys.executable, ROOT / "infra" / "plugins-zip", folder / "plugins.zip"], check=True)
    (folder / "main.tf").write_text(terraform.LOCAL_PROVIDER + MODULE, encoding="utf-8")
    connection = {**aws.credentials("terraform"), "AWS_ENDPOINT_URL": aws.endpoint, "AWS_REGION": "eu-west-1"}
    with to_mwaa(aws.endpoint) as reached:
        made = Workspace(folder, terraform.environment({**connection, **reached}))
        made.init()
        yield made


def test_it_is_made_changed_and_destroyed(aws: LocalAws, workspace: Workspace) -> None:
    mwaa = aws.client("mwaa")

    workspace.apply()
    made = mwaa.get_environment(Name=NAME)["Environment"]
    assert (made["Status"], made["MaxWorkers"], made["DagS3Path"]) == ("AVAILABLE", 4, "dags/")
    assert made["Tags"] == {"project": "files", "owner": "für alle", "Name": NAME}
    assert made["AirflowConfigurationOptions"]["core.dags_are_paused_at_creation"] == "False"
    versions = aws.client("s3").list_object_versions(Bucket="acme-airflow")["Versions"]
    assert {each["VersionId"] for each in versions} == {
        made["PluginsS3ObjectVersion"],
        made["RequirementsS3ObjectVersion"],
    }
    assert workspace.changes() == []

    (workspace.folder / "terraform.tfvars").write_text("max_workers = 7\n")
    workspace.apply()
    changed = mwaa.get_environment(Name=NAME)["Environment"]
    assert (changed["Status"], changed["MaxWorkers"]) == ("AVAILABLE", 7)
    assert changed["LastUpdate"]["Status"] == "SUCCESS"

    workspace.destroy()
    assert mwaa.list_environments()["Environments"] == []
