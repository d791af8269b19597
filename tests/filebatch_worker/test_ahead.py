"""The next files are fetched while one is processed, and nothing else is done ahead: a worker as a process."""

import signal
import tempfile
from dataclasses import replace

import pytest

from aws import Place, until
from filebatch.core.contract import FileVersion, Work
from filebatch.core.records import FileState
from filebatch_worker import ahead
from filebatch_worker.ahead import Ahead
from filebatch_worker.processor import Source
from workers import Worker, held_of, result_of


@pytest.fixture
def place(server):
    return Place(server)


def folders(worker):
    """Those of files whose fetch has begun, which is so before a processor is called."""
    return list((worker.scratch / "disk").glob("file-*"))


def fetched(worker):
    return {path.read_text() for folder in folders(worker) for path in folder.glob("source")}


def test_the_next_files_are_there_while_one_is_processed_and_no_more_of_them(place, tmp_path):
    held = held_of(place, f"wait {tmp_path}", *(f"fine {at}" for at in range(ahead.FILES + 2)))
    with Worker(held).started() as worker:
        worker.begun(tmp_path)
        assert len(folders(worker)) == 1 + ahead.FILES
        expected = {f"wait {tmp_path}", *(f"fine {at}" for at in range(ahead.FILES))}
        until(lambda: fetched(worker) == expected)
        assert [result_of(held, number) for number in range(ahead.FILES + 3)] == [None] * (ahead.FILES + 3)
        (tmp_path / "go").touch()
        ended = worker.end()
    assert (ended.code, ended.left) == (0, [])
    assert set(held.now_in()) == {FileState.SUCCEEDED}


def test_what_was_fetched_in_vain_is_removed_at_sigterm(place, tmp_path):
    held = held_of(place, f"wait {tmp_path}", "fine 1", "fine 2")
    with Worker(held).started() as worker:
        worker.begun(tmp_path)
        until(lambda: fetched(worker) == {f"wait {tmp_path}", "fine 1", "fine 2"})
        worker.process.send_signal(signal.SIGTERM)
        (tmp_path / "go").touch()
        ended = worker.end()
    assert (ended.code, ended.left) == (75, [])
    assert held.now_in() == [FileState.SUCCEEDED, FileState.CLAIMED, FileState.CLAIMED]


def test_large_files_are_fetched_at_their_turn(place, tmp_path):
    held = held_of(place, f"wait {tmp_path}", "fine" + " " * ahead.LARGEST, "fine 2")
    with Worker(held).started() as worker:
        worker.begun(tmp_path)
        assert len(folders(worker)) == 2
        until(lambda: fetched(worker) == {f"wait {tmp_path}", "fine 2"})
        (tmp_path / "go").touch()
        assert worker.end().code == 0
    assert set(held.now_in()) == {FileState.SUCCEEDED}


def works(number):
    file = FileVersion("b", "k", "v", "e", 1, "2026-01-01T00:00:00.000Z")
    return [Work(replace(file, key=f"k{at}"), 1) for at in range(number)]


@pytest.fixture
def fetch(monkeypatch, tmp_path):
    """What fetches files: `faults` by key are raised, each once."""
    faults: dict[str, Exception] = {}

    def made(s3, file, folder):
        if file.key in faults:
            raise faults.pop(file.key)
        return Source(folder, file.key, file.size)

    monkeypatch.setattr(ahead, "fetch", made)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return faults


def test_a_fetch_that_failed_while_another_file_was_processed_is_made_again_at_its_turn(fetch):
    first, second = works(2)
    fetch[second.file.key] = OSError("the first file's program filled the disk")
    fetches = Ahead(None, [first, second])
    with fetches.fetched(first):
        until(lambda: not fetch)
    with fetches.fetched(second) as (_, source):
        assert source.result().name == "k1"
    fetches.close()


def test_a_file_that_was_not_asked_for_leaves_nothing_on_the_disk(fetch, tmp_path):
    first, *_, last = all_of_them = works(6)
    fetches = Ahead(None, all_of_them)
    with fetches.fetched(first):
        assert len(list(tmp_path.glob("file-*"))) == 1 + ahead.FILES
    with fetches.fetched(last):
        assert len(list(tmp_path.glob("file-*"))) == 1
    fetches.close()
    assert list(tmp_path.glob("file-*")) == []
