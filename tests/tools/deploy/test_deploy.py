"""`python -m deploy` into a folder and into a bucket of the local AWS."""

import json
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import boto3
import pytest

from deploy import __main__ as command
from deploy import contents, deployments
from deploy.deployments import LOCK, RefusedError
from deploy.places import Bucket, Folder
from doctor import environment, repository
from doctor.__main__ import LAST
from doctor.__main__ import main as doctor
from doctor.told import Finding

WRITES = {"write", "create", "swap", "remove"}
WEATHER = "dags/feeds/weather.yaml"


class Watched:
    """A place that notes what is changed, and can break off before one of the changes."""

    def __init__(self, place, break_at=None):
        self.place, self.changes, self.break_at = place, [], break_at

    def __getattr__(self, name):
        act = getattr(self.place, name)
        return act if name not in WRITES else lambda path, *content: self._change(name, act, path, *content)

    def _change(self, name, act, path, *content):
        if len(self.changes) == self.break_at:
            raise KeyboardInterrupt
        self.changes.append((name, path))
        return act(path, *content)


@pytest.fixture(params=["folder", "bucket"])
def there(request, tmp_path, monkeypatch):
    """Where Airflow reads, as `--to` names it and as a place."""
    if request.param == "folder":
        monkeypatch.setattr(command, "_place", lambda to: watched)
        watched = Watched(Folder(tmp_path / "airflow"))
        return watched
    client = request.getfixturevalue("place").connect("s3")
    name = f"airflow-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    watched = Watched(Bucket(client, name, "/airflow/"))
    monkeypatch.setattr(command, "_place", lambda to: watched)
    return watched


def deploy(*arguments: str, environment: str = "existing-airflow") -> int:
    return command.main([environment, "--to", "place", "--files-only", "--yes", *arguments])


def laid_down(there, clone) -> bool:
    files = contents.of_clone(clone, packed=False)
    return all(there.read(path) == content for path, content in files.items())


def finished(there) -> list[int]:
    return [each.number for each in deployments.recorded(there) if each.finished]


def test_the_first_lays_all_of_it_down_the_library_before_the_dags_and_feeds_last(there, clone):
    assert deploy() == 0

    assert laid_down(there, clone)
    written = [path for name, path in there.changes if name == "write" and not path.startswith("deployments/")]
    order = [contents.PARTS.index(contents.part(path)) for path in written]
    assert order == sorted(order)
    assert set(order) == {0, 1, 2, 3}
    assert deployments.holder(there) is None


def test_again_without_a_change_changes_nothing(there, clone):
    deploy()
    there.changes.clear()

    assert deploy() == 0
    assert there.changes == []


def test_a_changed_feed_touches_that_feed_alone(there, clone):
    deploy()
    there.changes.clear()
    (clone / WEATHER).write_text("description: another\n")

    assert deploy() == 0
    assert [path for _, path in there.changes if not path.startswith("deployments/")] == [WEATHER]


def test_what_the_clone_lost_is_removed_last_and_what_others_laid_down_stays(there, clone):
    deploy()
    there.place.write("dags/others.py", b"")
    there.changes.clear()
    (clone / WEATHER).unlink()
    (clone / "dags/file_to_batch.py").write_text("# new\n")

    deploy()

    assert there.read(WEATHER) is None
    assert there.read("dags/others.py") == b""
    touched = [each for each in there.changes if not each[1].startswith("deployments/")]
    assert touched == [("write", "dags/file_to_batch.py"), ("remove", WEATHER)]


def test_a_rollback_lays_down_what_an_earlier_deployment_did_and_can_itself_be_rolled_back(there, clone):
    deploy()
    before = there.read(WEATHER)
    (clone / WEATHER).write_text("description: another\n")
    (clone / "dags/feeds/new.yaml").write_text("description: new\n")
    deploy()

    assert deploy("--rollback", "1") == 0
    assert (there.read(WEATHER), there.read("dags/feeds/new.yaml")) == (before, None)

    assert deploy("--rollback", "2") == 0
    assert laid_down(there, clone)
    assert finished(there) == [1, 2, 3, 4]


def test_broken_off_at_any_step_the_next_does_what_is_left(tmp_path, clone, monkeypatch):
    folder = Folder(tmp_path / "whole")
    watched = Watched(folder)
    monkeypatch.setattr(command, "_place", lambda to: watched)
    deploy()
    (clone / WEATHER).unlink()
    (clone / "dags/feeds/new.yaml").write_text("description: new\n")
    start = tmp_path / "start"
    shutil.copytree(folder.root, start)
    watched.changes.clear()
    deploy()
    steps = len(watched.changes)
    assert steps > 5

    for step in range(steps):
        place = Folder(shutil.copytree(start, tmp_path / f"step-{step}"))
        monkeypatch.setattr(command, "_place", lambda to, place=place, step=step: Watched(place, break_at=step))
        with pytest.raises(KeyboardInterrupt):
            deploy()
        holder = deployments.holder(place)
        owner = ["--take-over", holder] if holder else []
        monkeypatch.setattr(command, "_place", lambda to, place=place: place)

        assert deploy(*owner) == 0
        assert laid_down(place, clone)
        assert place.read(WEATHER) is None
        assert deployments.holder(place) is None


def test_what_broke_off_and_isnt_wanted_any_more_is_removed_by_the_next(there, clone, monkeypatch):
    deploy()
    new = clone / "dags/feeds/new.yaml"
    new.write_text("description: new\n")
    monkeypatch.setattr(deployments, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        deploy()
    assert there.read("dags/feeds/new.yaml") is not None
    monkeypatch.undo()
    monkeypatch.setattr(command, "ROOT", clone)
    monkeypatch.setattr(command, "doctor", lambda arguments: 0)
    monkeypatch.setattr(command, "_place", lambda to: there)
    new.unlink()

    assert deploy() == 0
    assert there.read("dags/feeds/new.yaml") is None


def test_while_somebody_deploys_another_is_refused_and_told_who_it_is(there, clone, capsys):
    with deployments.locked(there, "ann@laptop/7", "2026-03-01T12:00:00+00:00"):
        there.changes.clear()
        assert deploy() == 1
        assert "ann@laptop/7 has been deploying here since 2026-03-01T12:00:00" in capsys.readouterr().err
        assert deploy("--take-over", "bob@laptop/7") == 1
        assert all(path == LOCK for _, path in there.changes)

        assert deploy("--take-over", "ann@laptop/7") == 0
    assert laid_down(there, clone)


def test_of_two_at_once_one_gets_the_lock(there):
    with deployments.locked(there, "ann", "now"):
        with pytest.raises(RefusedError), deployments.locked(there, "bob", "now"):
            pass
        assert json.loads(there.read(LOCK))["owner"] == "ann"  # whoever was refused takes nothing away


def test_whose_lock_was_taken_over_leaves_it_to_the_new_owner(there):
    with deployments.locked(there, "ann", "now"):
        there.place.write(LOCK, b'{"owner": "bob", "since": "now"}')

    assert json.loads(there.read(LOCK))["owner"] == "bob"


def test_a_plan_that_is_old_when_the_lock_is_there_is_not_carried_out(there, clone, capsys):
    def meanwhile(question: str) -> str:
        there.place.write(WEATHER, b"by another")
        return "y"

    assert command.main(["existing-airflow", "--to", "place", "--files-only"], ask=meanwhile) == 1
    assert "somebody has deployed since" in capsys.readouterr().err
    assert there.read(WEATHER) == b"by another"


@pytest.mark.parametrize("why", ["doctor", "no"])
def test_what_the_doctor_finds_or_nobody_confirms_is_refused(there, clone, monkeypatch, why):
    monkeypatch.setattr(command, "doctor", lambda arguments: int(why == "doctor"))

    assert (
        command.main(
            ["existing-airflow", "--to", "place", "--files-only"], ask=lambda question: "n" if why == "no" else "y"
        )
        == 1
    )
    assert there.changes == []


@pytest.mark.parametrize("name", sorted({*repository.CHECKS, *environment.CHECKS} - {LAST}))
def test_a_finding_of_each_kind_refuses_until_its_check_is_left_out(place, clone, tmp_path, monkeypatch, capsys, name):
    folder = Watched(Folder(tmp_path / "airflow"))
    monkeypatch.setattr(command, "_place", lambda to: folder)
    monkeypatch.setattr(command, "doctor", doctor)
    monkeypatch.setenv("AIRFLOW_VAR_FILEBATCH", json.dumps(asdict(place.settings())))
    monkeypatch.setattr(environment, "ACCOUNTS_ALONE", set())
    for module in (repository, environment):
        found = {name: lambda _: iter([Finding("what", "why", "do")])} if name in module.CHECKS else {}
        monkeypatch.setattr(module, "CHECKS", found)

    assert deploy() == 1
    assert f"WRONG ({name}): what" in capsys.readouterr().out
    assert folder.changes == []

    assert deploy("--without", name) == 0


def test_an_earlier_deployment_that_was_tampered_with_is_refused(there, clone, capsys):
    deploy()
    name = contents.of((clone / WEATHER).read_bytes())
    there.place.write(f"deployments/files/{name}", b"another")
    there.place.write(WEATHER, b"broken")

    assert deploy("--rollback", "1") == 1
    assert "can't be had again" in capsys.readouterr().err
    assert deploy("--rollback", "9") == 1
    assert "there is no finished deployment 9; there are: 1" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "dags/../../outside", ""])
def test_a_path_that_leaves_its_place_is_refused(there, path):
    with pytest.raises(ValueError, match="leaves its place"):
        there.place.write(path, b"")


def test_a_record_that_names_a_path_outside_its_place_is_refused(there, clone, tmp_path, capsys):
    deploy()
    record = json.loads(there.read("deployments/000001.json"))
    record["files"]["../outside"] = next(iter(record["files"].values()))
    there.place.write("deployments/000001.json", json.dumps(record).encode())

    assert deploy("--rollback", "1") == 1
    assert "'../outside' leaves its place" in capsys.readouterr().err
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("to", [[], ["--to", "there"]])
def test_a_dry_run_changes_nothing_and_lists_every_part(clone, tmp_path, monkeypatch, capsys, to):
    monkeypatch.chdir(tmp_path)

    assert command.main(["existing-airflow", "--dry-run", *to]) == 0

    told = capsys.readouterr().out
    for name in ("infrastructure: not looked up: ", "image: ", *(f"{part}: " for part in contents.PARTS)):
        assert f"\n{name}" in f"\n{told}"
    assert not (tmp_path / "there").exists()


def test_an_environment_that_isnt_there_is_told_with_those_that_are(clone, capsys):
    assert command.main(["prod", "--dry-run"]) == 1
    assert "there are: existing-airflow, mwaa" in capsys.readouterr().err


def test_what_others_keep_beside_the_records_is_no_record(there, clone):
    assert deploy() == 0
    there.write("deployments/notes.txt", b"ask Jo before Friday")

    assert deploy() == 0


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"number": 2, "unknown": 1}'])
def test_a_record_that_is_none_is_named(there, clone, capsys, content):
    assert deploy() == 0
    there.write("deployments/000002.json", content)

    assert deploy() == 1
    assert "deployments/000002.json: expected the record of a deployment, found" in capsys.readouterr().err


class SentAgain:
    """A place whose answers are lost, so that the client asks for each change again."""

    def __init__(self, place):
        self.place = place

    def __getattr__(self, name):
        return getattr(self.place, name)

    def create(self, path, content):
        self.place.create(path, content)
        return self.place.create(path, content)


def test_a_lock_whose_answer_was_lost_is_its_owners(there):
    with deployments.locked(SentAgain(there), "me", "now"):
        assert deployments.holder(there) == "me"
    assert deployments.holder(there) is None


def test_of_two_who_take_over_at_once_one_gets_the_lock(there):
    """Both have seen that ann has it; whoever swaps second finds another lock than the one that was seen."""
    there.write(LOCK, b'{"owner": "ann", "since": "then"}')
    with (
        pytest.raises(RefusedError, match="bob has been deploying"),
        deployments.locked(Meanwhile(there, b'{"owner": "bob", "since": "now"}'), "cid", "now", take_over="ann"),
    ):
        pass
    assert deployments.holder(there) == "bob"


class Meanwhile:
    """A place in which somebody else takes the lock between a look at it and the change."""

    def __init__(self, place, lock):
        self.place, self.lock = place, lock

    def __getattr__(self, name):
        return getattr(self.place, name)

    def swap(self, path, old, new):
        self.place.write(path, self.lock)
        return self.place.swap(path, old, new)


def test_of_many_swaps_at_once_one_is_done(there):
    there.write(LOCK, b"old")
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: there.place.swap(LOCK, b"old", f"new {n}".encode()), range(8)))
    assert done.count(True) == 1
    assert there.read(LOCK) == f"new {done.index(True)}".encode()


def test_a_link_in_place_of_a_folder_is_not_followed(tmp_path, clone, capsys, monkeypatch):
    root, elsewhere = tmp_path / "airflow", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    (root / "dags").symlink_to(elsewhere)

    assert command.main(["existing-airflow", "--to", str(root), "--files-only", "--yes"]) == 1

    assert f"leaves {root}: found a link to {elsewhere}" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


def test_links_and_what_is_hidden_are_not_deployed(clone, tmp_path):
    (tmp_path / "key").write_text("secret")
    (clone / "dags" / "key.py").symlink_to(tmp_path / "key")
    (clone / "dags" / ".env").write_text("secret")

    files = contents.of_clone(clone, packed=False)

    assert not [path for path in files if "key" in path or ".env" in path]


@pytest.mark.parametrize("to", ["gs://bucket/prefix", "s3://", "https://bucket"])
def test_a_place_of_another_kind_is_refused(clone, capsys, to):
    assert command.main(["existing-airflow", "--to", to, "--dry-run"]) == 1
    assert f"TO: expected a folder or s3://BUCKET/PREFIX, found '{to}'" in capsys.readouterr().err


def test_aws_is_asked_in_the_region_of_the_environment_whatever_the_shell_says(clone, monkeypatch, capsys):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert command.main(["existing-airflow", "--dry-run"]) == 0
    assert boto3.client("sqs").meta.region_name == "eu-west-1"


def test_a_bucket_is_named_by_its_url():
    assert command._place("s3://bucket/prefix/")._object("dags/a.py") == {"Bucket": "bucket", "Key": "prefix/dags/a.py"}
