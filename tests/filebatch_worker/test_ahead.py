"""The next files are fetched while one is processed, and nothing else is done ahead: a worker as a process."""

import signal
import tempfile
from dataclasses import replace

import pytest

from aws import Place, until
from filebatch.core.contract import IN_FLIGHT, FileVersion, Work
from filebatch.core.records import FileState
from filebatch_worker import ahead
from filebatch_worker.ahead import Ahead
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
    held = held_of(place, f"wait {tmp_path}", *(f"fine {at}" for at in range(IN_FLIGHT + 2)))
    with Worker(held).started() as worker:
        worker.begun(tmp_path)
        assert len(folders(worker)) == 1 + IN_FLIGHT
        expected = {f"wait {tmp_path}", *(f"fine {at}" for at in range(IN_FLIGHT))}
        until(lambda: fetched(worker) == expected)
        assert [result_of(held, number) for number in range(IN_FLIGHT + 3)] == [None] * (IN_FLIGHT + 3)
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


def works(number, size=1):
    file = FileVersion("b", "k", "v", "e", size, "2026-01-01T00:00:00.000Z")
    return [Work(replace(file, key=f"k{at}"), "2026-01-01T00:00:00.000Z") for at in range(number)]


@pytest.fixture
def scratch(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_large_files_are_fetched_at_their_turn(scratch):
    first, large, third = works(3)
    large = replace(large, file=replace(large.file, size=ahead.SMALL + 1))
    fetched = []
    fetches = Ahead(lambda work, _: fetched.append(work), [first, large, third])
    fetches.take(first)
    until(lambda: sorted(work.file.key for work in fetched) == ["k0", "k2"])
    fetches.take(large)[1].result()
    assert fetched[2:] == [large]
    fetches.close()


def test_a_fetch_that_failed_while_another_file_was_processed_is_made_again_at_its_turn(scratch):
    first, second = works(2)
    faults = [OSError("the first file's program filled the disk")]

    def fetch(work, folder):
        if work is second and faults:
            raise faults.pop()
        return folder

    fetches = Ahead(fetch, [first, second])
    fetches.take(first)
    until(lambda: not faults)
    folder, fetching = fetches.take(second)
    assert fetching.result() == folder
    assert len(list(scratch.glob("file-*"))) == 2
    fetches.close()


def test_what_was_taken_is_its_takers_and_all_else_is_gone_at_the_end(scratch):
    all_of_them = works(2 * IN_FLIGHT)
    fetches = Ahead(lambda _, folder: folder.joinpath("source").touch(), all_of_them)
    folder, fetching = fetches.take(all_of_them[0])
    fetching.result()
    assert len(list(scratch.glob("file-*"))) == 1 + IN_FLIGHT
    fetches.close()
    assert list(scratch.glob("file-*")) == [folder]
