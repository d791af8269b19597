"""Which changes of feed files are noticed, and that a failure is no end of looking."""

import os
import threading

import pytest

from aws import until
from filebatch_local.provision import feed_watch


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(feed_watch, "LOOK_EVERY", 0.02)


@pytest.fixture
def watched(tmp_path):
    """A folder that is watched; `done` lists what was done of it, and `faults` the errors to come."""
    stop, done, faults = threading.Event(), [], []

    def provision():
        if faults:
            raise faults.pop()
        done.append("provisioned")

    seen = feed_watch.look(tmp_path)
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


def test_a_failure_is_logged_and_tried_again(watched, caplog):
    folder, done, faults = watched
    faults += [RuntimeError("not now")] * 2
    (folder / "orders.yaml").write_text("prefix: orders/")
    until(lambda: done == ["provisioned"])
    assert caplog.text.count("could not be brought up to date") == 2


def test_what_is_no_file_is_seen_and_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "broken.yaml").symlink_to(tmp_path / "nowhere")
    assert feed_watch.look(tmp_path) == {"pipe": "", "broken": ""}
