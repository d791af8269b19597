"""What is made of a file, and what went wrong with it, in the taxonomy's words; what AWS refuses: test_refusals.py."""

from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from filebatch.core import errors, failures
from filebatch_worker import ahead, processor
from filebatch_worker.__main__ import _exit_code
from filebatch_worker.file import classify, make
from filebatch_worker.processor import InvalidFile, Output, Processed, Source


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "out_of_memory"),
        (OSError(28, "No space left on device"), "disk_full"),
        (OSError(13, "Permission denied"), "bug"),
        (errors.ConfigurationError("x"), "configuration"),
        (errors.ContractError("x"), "configuration"),
        (processor.ConfigurationError("x"), "configuration"),
        (processor.TransientError("x"), "transient"),
        (ConnectionResetError(), "transient"),
        (TimeoutError(), "transient"),
        (ValueError("x"), "bug"),
        (KeyError("x"), "bug"),
        (OSError("x"), "bug"),
    ],
)
def test_what_was_raised_has_a_name(error, code):
    assert classify(error) == code
    assert failures.failure(code)


@pytest.mark.parametrize(
    ("troubles", "code"),
    [
        ([], 0),
        (["bug"], 70),
        (["out_of_memory"], 70),
        (["disk_full"], 70),
        (["configuration"], 78),
        (["bug", "configuration"], 78),
        (["bug", "configuration", "out_of_memory", "transient"], 75),
    ],
)
def test_the_exit_code_is_that_of_the_trouble_that_asks_for_most(troubles, code):
    assert _exit_code(troubles) == code


def sized(path, size):
    """Make a file that says it is so large, and takes nothing of this disk."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as content:
        content.truncate(size)
    return path


@pytest.mark.parametrize("invalid", [False, True])
@pytest.mark.parametrize(
    ("of_the_source", "of_the_output", "left_behind", "is_large"),
    [
        (1, 1, 1, False),
        (ahead.SMALL, 0, 1, True),
        (1, ahead.SMALL, 0, True),
        (1, 0, ahead.SMALL, True),
    ],
    ids=["little", "the file", "what was made of it", "what the processor left behind"],
)
def test_what_takes_much_of_the_disk_is_large_whichever_it_is(
    tmp_path, invalid, of_the_source, of_the_output, left_behind, is_large
):
    def process(source, workdir, options):
        output = sized(workdir / "output" / "data", of_the_output)
        sized(workdir / "scratch" / "data", left_behind)
        if invalid:
            raise InvalidFile("empty", "it has no rows", summary="it has no rows")
        return Processed((Output("data", output),))

    fetching = Future()
    fetching.set_result(Source(sized(tmp_path / "source", of_the_source), "a.csv", of_the_source, ""))
    ctx = SimpleNamespace(process=process, unit=SimpleNamespace(options={}))
    assert make(ctx, fetching, tmp_path).is_large is is_large
