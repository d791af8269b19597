"""Terraform as `make deploy` runs it: on a small root module of its own, and on what was applied to the local AWS."""

import shutil
from pathlib import Path

import pytest

from deploy.terraform import NotLookedUpError, Terraform
from infra.applied import Applied

ROOT = Path(__file__).parents[2]
# The builtin provider alone: nothing is downloaded, and nothing is asked of AWS.
SMALL = """
variable "image_tag" { default = "0" }
variable "res_prefix" {}
resource "terraform_data" "image" { input = var.image_tag }
module "registry" { source = "./registry" }
output "settings" { value = "${var.res_prefix}-${terraform_data.image.output}" }
"""
REGISTRY = 'resource "terraform_data" "repository" { input = "worker" }\n'

pytestmark = pytest.mark.terraform


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    infra = tmp_path / "infra"
    (infra / "registry").mkdir(parents=True)
    (infra / "environments").mkdir()
    (infra / "main.tf").write_text(SMALL)
    (infra / "registry" / "main.tf").write_text(REGISTRY)
    for name in ("one", "two"):
        (infra / "environments" / f"{name}.tfvars").write_text(f'res_prefix = "{name}"\n')
    with_mirror(infra)
    return tmp_path


def with_mirror(infra: Path) -> None:
    for name in ("provider-mirror", "provider-mirror.sha256"):
        shutil.copy(ROOT / "infra" / name, infra / name)


def test_a_plan_is_shown_applied_and_then_nothing_is_left_to_do(clone: Path) -> None:
    terraform = Terraform(clone, "one")
    assert terraform.outputs() == {}
    variables = {"image_tag": "a"}

    assert terraform.plan(variables) == ["+ module.registry.terraform_data.repository", "+ terraform_data.image"]
    terraform.apply(variables)

    assert terraform.outputs() == {"settings": "one-a"}
    assert terraform.plan(variables) == []
    assert terraform.plan({"image_tag": "b"}) == ["~ terraform_data.image"]
    terraform.apply({"image_tag": "c"})  # not what was planned last
    assert terraform.outputs() == {"settings": "one-c"}

    terraform.destroy({})
    assert terraform.outputs() == {}


def test_a_module_can_be_applied_before_the_rest(clone: Path) -> None:
    terraform = Terraform(clone, "one")
    terraform.apply({}, "module.registry")
    assert terraform.plan({}) == ["+ terraform_data.image"]


def test_each_environment_has_a_state_of_its_own(clone: Path) -> None:
    one, two = Terraform(clone, "one"), Terraform(clone, "two")
    one.apply({"image_tag": "a"})
    assert two.outputs() == {}
    two.apply({"image_tag": "b"})
    again = [Terraform(clone, name).outputs()["settings"] for name in ("one", "two")]
    assert again == ["one-a", "two-b"]
    assert (clone / "infra" / "environments" / "two.tfstate").is_file()


def test_what_terraform_refuses_is_told_with_its_words(clone: Path) -> None:
    (clone / "infra" / "environments" / "one.tfvars").write_text("")
    with pytest.raises(NotLookedUpError, match=r"terraform plan: Error: No value for required variable"):
        Terraform(clone, "one").plan({})


def test_a_backend_that_cant_be_had_is_told(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    (clone / "infra" / "environments" / "one.tfbackend").write_text('region = "eu-west-1"\n')
    with pytest.raises(NotLookedUpError, match="terraform init: Error"):
        Terraform(clone, "one").plan({})


def test_without_terraform_it_is_told(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(clone))
    with pytest.raises(NotLookedUpError, match="there is no terraform on the path"):
        Terraform(clone, "one").outputs()


def test_a_state_that_may_be_another_environments_is_left_where_it_is(clone: Path) -> None:
    Terraform(clone, "one").apply({})
    infra = clone / "infra"
    shutil.move(infra / "environments" / "one.tfstate", infra / "terraform.tfstate")
    before = (infra / "terraform.tfstate").read_bytes()

    with pytest.raises(NotLookedUpError, match=r"mv infra/terraform.tfstate infra/environments/two.tfstate"):
        Terraform(clone, "two").plan({})
    assert (infra / "terraform.tfstate").read_bytes() == before


@pytest.mark.airflow
def test_of_what_is_applied_nothing_is_planned_and_another_image_is_every_job_definitions(
    applied: Applied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = applied.terraform.folder
    ignored = shutil.ignore_patterns(".terraform", "terraform.tfstate*")
    shutil.copytree(theirs.parent, tmp_path / "clone", ignore=ignored)
    infra = tmp_path / "clone" / "infra"
    (infra / "environments").mkdir()
    (infra / "environments" / "test.tfvars").write_text("")
    shutil.copy(theirs / "terraform.tfstate", infra / "environments" / "test.tfstate")
    with_mirror(infra)
    for name, value in applied.terraform.environment.items():
        monkeypatch.setenv(name, value)
    terraform = Terraform(tmp_path / "clone", "test")

    assert terraform.outputs() == applied.outputs
    assert terraform.plan({"image_tag": "0.1.0"}) == []
    changes = terraform.plan({"image_tag": "another"})
    assert changes
    assert all("aws_batch_job_definition" in change for change in changes)
