"""The worker's loop with a program of the image, as processes against real services: what becomes of each file."""

import json

import pytest

from aws import Place, feed_of
from filebatch.core.records import FileState
from workers import PYTHON, Worker, held_of, object_of, quarantine_of, result_of

PROGRAM = """
import os, shutil, sys, time
word, out = open(os.environ['FILEBATCH_INPUT']).read(), os.environ['FILEBATCH_OUTPUT']
if word == 'invalid': sys.exit('no total' if print('no total', file=sys.stderr) else 65)
if word == 'busy': sys.exit(75)
if word == 'broken': sys.exit(3)
if word == 'killed': os.kill(os.getpid(), 9)
if word == 'slow': time.sleep(600)
if word == 'much': open(out + '/much', 'wb').write(bytes(3_000_000))
if word == 'link': os.symlink(os.environ['FILEBATCH_INPUT'], out + '/link')
if word.startswith('fine'): shutil.copy(os.environ['FILEBATCH_INPUT'], out + '/copy')
"""
ENDS = {
    "fine": (FileState.SUCCEEDED, None, ""),
    "invalid": (FileState.INVALID, "refused", "the program refused the file (exit code 65)"),
    "broken": (FileState.FAILED, "bug", "ProgramFailedError: the program ended with exit code"),
    "killed": (FileState.FAILED, "out_of_memory", "MemoryError"),
    "slow": (FileState.FAILED, "bug", "TimedOutError: timeout: the program took more than 5 s"),
    "much": (FileState.FAILED, "bug", "WroteTooMuchError: max_output_bytes: the program wrote more than 2000000 bytes"),
    "link": (FileState.FAILED, "bug", "NoFileError"),
    "nothing": (FileState.FAILED, "bug", "NoOutputError"),
    "busy": (FileState.CLAIMED, None, ""),
    "fine too": (FileState.SUCCEEDED, None, ""),
}


def programs_feed(*command: str):
    options = {"command": list(command), "timeout": 5, "max_output_bytes": 2_000_000}
    return feed_of(processor="command", options=options)


@pytest.fixture(scope="module")
def done(server):
    held = held_of(Place(server), *ENDS, feed=programs_feed(str(PYTHON), "-c", PROGRAM))
    return held, Worker(held).run()


@pytest.mark.parametrize(("number", "word"), enumerate(ENDS))
def test_each_file_has_its_own_end(done, number, word):
    state, code, told = ENDS[word]
    file = done[0].item(number)
    assert (file.state, file.reason and file.reason.code) == (state, code) or state == FileState.CLAIMED
    assert file.state == state
    assert told in (file.reason.message if file.reason else "")


def test_what_the_program_wrote_is_the_result(done):
    held, _ = done
    (output,) = result_of(held, 0).outputs
    assert (output.name, object_of(held.place, output.key)) == ("copy", b"fine")


def test_what_it_said_of_an_invalid_file_is_in_quarantine(done):
    held, ended = done
    reason = json.loads(object_of(held.place, quarantine_of(held, 1) + "_reason.json"))["reason"]
    assert reason["where"]["stderr"] == "no total\n"
    assert "no total" not in ended.output


def test_nothing_is_left_on_the_disk(done):
    assert done[1].left == []


def test_a_program_that_is_missing_is_the_feeds_fault_and_says_so(server):
    held = held_of(Place(server), "fine", feed=programs_feed("no-such-program"))
    ended = Worker(held).run()
    assert ended.code == 78
    assert "there is no program 'no-such-program' in the image" in ended.output
    assert held.item(0).state == FileState.CLAIMED
