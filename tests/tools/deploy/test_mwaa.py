"""`python -m deploy` to an environment with Amazon MWAA, on the local AWS; Terraform and Docker are stand-ins."""

import json

import pytest

from aws import until
from deploy import __main__ as command
from deploy import deployments

NEW = "description: New.\nprefix: new/\nstart: 2026-01-01\nprocessor: tabular\noptions: {columns: {a: string}}\n"


def test_the_first_deployment_makes_all_of_it_and_sees_it_in_airflow(world, capsys):
    assert world.deploy() == 0

    told = capsys.readouterr().out
    assert "infrastructure: 3 to change" in told
    assert "verified: DAGs without import errors, settings as Terraform says" in told
    operations = [operation for operation, _ in world.calls]
    assert operations.index("CreateRepository") < operations.index("PutImage") < operations.index("CreateEnvironment")
    assert "UpdateEnvironment" not in operations  # it has started with what it was made with
    ((image, platforms),) = world.engine.pushed
    assert (image.rpartition(":")[2], platforms) == (command._tag(), ["linux/amd64"])
    (record,) = deployments.recorded(world.place)
    assert (record.finished, record.verified, record.image) == (True, True, image.rpartition(":")[2])


def test_a_second_deployment_of_the_same_calls_nothing_that_changes_anything(world, capsys):
    world.deploy()
    with world.forgotten() as calls:
        assert world.deploy() == 0
    assert "nothing to do: all of it is there" in capsys.readouterr().out
    assert calls == []


def test_a_feed_alone_is_terraform_then_its_dag_and_mwaa_is_left_alone(world):
    world.deploy()
    world.add("dags/feeds/new.yaml", NEW)
    with world.forgotten():
        assert world.deploy() == 0
    assert world.changed() == [("PutObject", "dags/feeds/new.yaml")]
    assert "new" in world.terraform.feeds_applied[-1]
    assert len(world.engine.pushed) == 1


def test_a_feed_for_other_processors_brings_an_image_that_has_them(world):
    world.deploy()
    world.add("dags/feeds/new.yaml", f"{NEW}architecture: ARM64\n")
    assert world.deploy() == 0
    (first, _), (second, platforms) = world.engine.pushed
    assert first != second
    assert platforms == ["linux/amd64", "linux/arm64"]


def test_a_feed_that_goes_keeps_its_queue_until_its_dag_is_gone(world):
    world.deploy()
    world.add("dags/feeds/new.yaml", NEW)
    world.deploy()
    world.terraform.feeds_applied.clear()
    (world.clone / "dags/feeds/new.yaml").unlink()
    (world.clone / "worker" / "filebatch_worker" / "new.txt").write_text(
        "another image, so that there is something to apply"
    )

    assert world.deploy() == 0

    assert ["new" in applied for applied in world.terraform.feeds_applied] == [True, False]


def test_changed_plugins_have_mwaa_start_anew_before_the_dags_that_need_them(world, capsys):
    world.deploy()
    world.add("plugins/filebatch/new.py", "")
    world.add("dags/new.py", "")
    with world.forgotten():
        assert world.deploy() == 0
    assert world.changed() == [
        ("PutObject", "plugins.zip"),
        ("UpdateEnvironment", world.terraform.name),
        ("PutObject", "dags/new.py"),
    ]
    assert "20 to 30 minutes are normal" in capsys.readouterr().out
    assert world.environment()["PluginsS3ObjectVersion"] == world.place.version("plugins.zip")


def test_an_update_that_mwaa_rolls_back_leaves_the_dags_alone_and_the_next_deployment_goes_on(world, capsys):
    world.deploy()
    before = world.environment()["PluginsS3ObjectVersion"]
    world.server.ask("POST", f"mwaa/{world.terraform.name}/fail", {"error": "no space left"})
    world.add("plugins/filebatch/new.py", "")
    world.add("dags/new.py", "")

    assert world.deploy() == 1

    assert "rolled its update back: INCORRECT_CONFIGURATION: no space left" in capsys.readouterr().err
    assert world.environment()["PluginsS3ObjectVersion"] == before
    assert world.place.read("dags/new.py") is None
    assert deployments.holder(world.place) is None

    assert world.deploy() == 0
    assert world.place.read("dags/new.py") == b""


def test_broken_off_at_any_step_the_next_goes_on_with_what_is_left(world):
    world.deploy()
    for step in range(100):
        world.add("plugins/filebatch/new.py", f"STEP = {step}\n")
        world.add(f"dags/feeds/new-{step}.yaml", NEW.replace("new/", f"new-{step}/"))
        (world.clone / f"dags/feeds/new-{step - 1}.yaml").unlink(missing_ok=True)
        world.calls.clear()
        world.break_at = step
        try:
            world.deploy()
        except KeyboardInterrupt:
            pass
        else:
            break
        finally:
            world.break_at = None
        assert world.deploy(*world.taking_over()) == 0
        assert_all_is_there(world, step)
    assert step > 10


def assert_all_is_there(world, step):
    last = deployments.recorded(world.place)[-1]
    assert (last.finished, last.verified, deployments.holder(world.place)) == (True, True, None)
    assert world.environment()["PluginsS3ObjectVersion"] == world.place.version("plugins.zip")
    assert world.place.read(f"dags/feeds/new-{step}.yaml")
    assert world.place.read(f"dags/feeds/new-{step - 1}.yaml") is None
    assert f"new-{step - 1}" not in world.terraform.applied["feeds"]


def test_a_first_deployment_that_broke_off_goes_on(world):
    for step in (0, 1, 3, 5):
        world.calls.clear()
        world.break_at = step
        with pytest.raises(KeyboardInterrupt):
            world.deploy(*world.taking_over())
    world.break_at = None
    assert world.deploy(*world.taking_over()) == 0
    assert len(world.engine.pushed) == 1


def test_of_two_at_once_the_second_is_told_who_deploys(world, capsys):
    world.deploy()
    world.add("dags/new.py", "")
    with deployments.locked(world.place, "ann@laptop/7", "2026-03-01T12:00:00+00:00"), world.forgotten():
        assert world.deploy() == 1
        assert world.changed() == []
    assert "ann@laptop/7 has been deploying here since" in capsys.readouterr().err


def test_a_rollback_brings_plugins_dags_feeds_and_image_of_an_earlier_deployment(world):
    world.deploy()
    first = world.place.read("plugins.zip")
    world.add("plugins/filebatch/new.py", "")
    world.add("dags/feeds/new.yaml", NEW)
    (world.clone / "worker" / "filebatch_worker" / "new.txt").write_text("another image")
    world.deploy()
    assert len(world.engine.pushed) == 2

    assert world.deploy("--rollback", "1") == 0

    assert world.place.read("plugins.zip") == first
    assert world.place.read("dags/feeds/new.yaml") is None
    assert world.environment()["PluginsS3ObjectVersion"] == world.place.version("plugins.zip")
    record = deployments.recorded(world.place)[-1]
    assert record.image == world.terraform.applied["image"] == deployments.recorded(world.place)[0].image
    assert "new" not in world.terraform.applied["feeds"]
    assert len(world.engine.pushed) == 2


def test_without_an_engine_a_missing_image_is_refused_before_anything_is_changed(world, capsys):
    world.engine.missing = "no Docker engine answers"
    assert world.deploy() == 1
    assert world.calls == []
    assert "can't be built here: no Docker engine answers" in capsys.readouterr().err


def test_an_image_that_is_named_is_taken_as_it_is_and_must_be_there(world, capsys):
    world.deploy()
    (world.clone / "worker" / "filebatch_worker" / "new.txt").write_text("another image")
    world.engine.missing = "no Docker engine answers"
    there = world.terraform.applied["image"]
    assert world.deploy("--image", there) == 0
    assert world.deploy("--image", "none") == 1
    assert "image none isn't in the registry: push it" in capsys.readouterr().err


def test_an_import_error_is_told_and_the_exit_code_says_so(world, capsys):
    world.deploy()
    world.add("dags/feeds/new.yaml", "prefix: new/\n")
    assert world.deploy() == 1
    said = capsys.readouterr()
    assert "WRONG: import error of broken_feeds.py: " in said.out
    assert "--rollback NUMBER" in said.err
    assert not deployments.recorded(world.place)[-1].verified


def test_a_dag_that_somebody_paused_is_told(world, capsys):
    world.deploy()
    world.connect("mwaa").invoke_rest_api(
        Name=world.terraform.name, Method="PATCH", Path="/dags/weather", Body={"is_paused": True}
    )
    world.add("dags/new.py", "")
    assert world.deploy() == 1
    assert "WRONG: the DAG weather is paused" in capsys.readouterr().out


@pytest.mark.parametrize("found", ["{}", "no JSON"])
def test_settings_that_airflow_reads_and_terraform_doesnt_say_are_told(world, capsys, found):
    world.deploy()
    secret = world.terraform.outputs()["settings_secret_arn"]
    world.connect("secretsmanager").put_secret_value(SecretId=secret, SecretString=found)
    world.add("dags/new.py", "")
    assert world.deploy() == 1
    assert "isn't what Terraform's output `settings` says" in capsys.readouterr().out


def test_files_alone_need_no_terraform_and_still_have_mwaa_start_anew(world, monkeypatch):
    world.deploy()
    monkeypatch.setattr(command.contents, "mwaa", lambda environment: world.terraform.name)
    monkeypatch.setattr(command, "_infrastructure", lambda name: pytest.fail("Terraform was asked"))
    world.add("plugins/filebatch/new.py", "")
    with world.forgotten():
        assert world.deploy("--files-only") == 0
    assert [operation for operation, _ in world.changed()] == ["PutObject", "UpdateEnvironment"]


def test_what_is_destroyed_must_not_be_protected_and_is_confirmed_by_its_name(world, capsys):
    world.deploy()
    assert world.deploy("--destroy") == 1
    assert "deletion_protection = false" in capsys.readouterr().err
    file = world.clone / "infra" / "environments" / "mwaa.tfvars"
    file.write_text(file.read_text() + "\ndeletion_protection = false\n")
    assert world.deploy("--destroy", ask=lambda question: "y") == 1
    assert world.environment()["Status"] == "AVAILABLE"

    assert world.deploy("--destroy", "--dry-run") == 0
    assert world.terraform.applied is not None

    assert world.deploy("--destroy", ask=lambda question: "mwaa") == 0
    assert "stays: buckets, keys and networks" in capsys.readouterr().out
    until(lambda: world.terraform.name not in world.connect("mwaa").list_environments()["Environments"])
    assert world.deploy("--destroy") == 0
    assert "nothing to destroy" in capsys.readouterr().out


def test_settings_are_printed_for_airflows_variable(world, capsys):
    assert world.deploy("--settings") == 1
    world.deploy()
    capsys.readouterr()
    assert world.deploy("--settings") == 0
    assert json.loads(capsys.readouterr().out) == world.terraform.settings
