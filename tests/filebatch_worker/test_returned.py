"""What a processor hands back is checked before anything is committed: what doesn't fit is the processor's bug."""

import pytest

from aws import Place, feed_of
from filebatch.core.records import FileState
from filebatch_worker import returned
from workers import Worker, held_of, keys_under, quarantine_of, result_of

SECRET = "Jane Roe"
FEED = feed_of(processor="returning:process")
SAYS = {
    "nothing": "what it returned: expected Processed, found nothing",
    "a-bare-output": "outputs: expected a tuple of Output, found a value (Output)",
    "a-path": "output 1 of 1: expected Output, found a value (PosixPath)",
    "rows-text": "rows: expected a whole number or None, found text of 8 characters",
    "rows-true": "rows: expected a whole number or None, found true or false",
    "rows-float": "rows: expected a whole number or None, found a number",
    "rows-negative": "rows: expected 0 to 2^53, found a number outside of that",
    "rows-huge": "rows: expected 0 to 2^53, found a number outside of that",
    "output-rows": "rows of output 1 of 1: expected a whole number or None, found true or false",
    "output-name": "name of output 1 of 1: expected text, found nothing",
    "output-path": "path of output 1 of 1: expected a Path, found text of",
    "outputs-many": "outputs: expected at most 5000, found 5001",
    "notes-list": "notes: expected a mapping, found a list of 1",
    "notes-set": "notes: expected JSON values, found others (TypeError)",
    "notes-nan": "notes: expected JSON values, found others (ValueError)",
    "notes-huge": f"notes: expected at most {returned.MAX_NOTES} bytes of JSON, found",
    "code": "code of InvalidFile: expected text, found a number",
    "message": "message of InvalidFile: expected text, found a value (dict)",
    "summary": "summary of InvalidFile: expected text, found a number",
    "where": "the values of InvalidFile: expected JSON values, found others (TypeError)",
}


@pytest.fixture(scope="module")
def done(server):
    held = held_of(Place(server), "fine", *SAYS, feed=FEED)
    return held, Worker(held).run()


@pytest.mark.parametrize(("number", "word"), list(enumerate(SAYS, 1)), ids=list(SAYS))
def test_a_wrong_return_is_the_processors_bug_and_nothing_is_committed(done, number, word):
    held, _ = done
    file = held.item(number)
    assert (file.state, file.reason.code) == (FileState.FAILED, "bug")
    assert file.reason.message.startswith(f"ReturnedError: the processor's {SAYS[word]}")
    assert result_of(held, number) is None
    assert keys_under(held.place, quarantine_of(held, number)) == []


def test_nothing_of_it_is_staged_either(done):
    held, _ = done
    assert len(keys_under(held.place, "results/")) == 2  # the output and _result.json of the one that is fine


def test_what_is_told_of_it_quotes_no_value(done):
    _, ended = done
    assert ended.code == 70
    assert SECRET not in ended.output


def test_notes_are_committed_as_json_has_them(done):
    held, _ = done
    assert result_of(held, 0).notes == {"count": 1, "list": ["a", None]}
