"""Which changes of feed files are noticed, and that a failure is no end of looking."""

import os
import threading

import pytest

from aws import until
from filebatch_local.provision import feed_watch


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(feed_watch, "READ_EVERY", 0.02)


@pytest.fixture
def watched(tmp_path):
    """A folder that is watched; `done` lists what was done of it, and `faults` the errors to come."""
    stop, done, faults = threading.Event(), [], []

    def provision():
        if faults:
            raise faults.pop()
        done.append("provisioned")
        return [file.stem for file in tmp_path.glob("*.yaml") if file.read_text() != "broken"]

    seen = feed_watch.read(tmp_path)
    arguments = (tmp_path, seen, stop, provision, lambda names: done.extend(f"removed {name}" for name in names))
    thread = threading.Thread(target=feed_watch.watch, args=arguments)
    thread.start()
    yield tmp_path, done, faults
    assert thread.is_alive()
    stop.set()
    thread.join()


def test_each_change_is_brought_about_once(watched):
    folder, done, _ = watched
    file = folder / "orders.yaml"
    file.write_text("prefix: orders/")
    until(lambda: done == ["provisioned"])
    when = file.stat().st_mtime_ns
    file.write_text("prefix: others/")
    os.utime(file, ns=(when, when))
    until(lambda: done == ["provisioned"] * 2)
    file.unlink()
    until(lambda: done == [*["provisioned"] * 3, "removed orders"])
    (folder / "notes.txt").write_text("no feed")
    assert len(done) == 4


def test_the_log_says_of_each_feed_what_became_of_it(watched, caplog):
    caplog.set_level("INFO")
    folder, _, _ = watched
    for name, text in {"good": "prefix: good/", "bad": "broken"}.items():
        (folder / f".{name}").write_text(text)
    for name in ("good", "bad"):
        (folder / f".{name}").rename(folder / f"{name}.yaml")
    until(lambda: "feeds provisioned: good" in caplog.text)
    (folder / "bad.yaml").unlink()
    until(lambda: "feeds removed: bad" in caplog.text)
    assert not [line for line in caplog.messages if "provisioned" in line and "bad" in line]


def test_a_failure_is_logged_and_tried_again(watched, caplog):
    folder, done, faults = watched
    faults += [RuntimeError("not now")] * 2
    (folder / "orders.yaml").write_text("prefix: orders/")
    until(lambda: done == ["provisioned"])
    assert caplog.text.count("could not be provisioned") == 2


def test_what_is_no_file_is_seen_and_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "broken.yaml").symlink_to(tmp_path / "nowhere")
    assert feed_watch.read(tmp_path) == {"pipe": "", "broken": ""}
