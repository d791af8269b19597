"""What went wrong with a file, in the taxonomy's words; what AWS refuses is in test_refusals.py."""

import pytest

from filebatch.core import errors, failures
from filebatch_worker import processor
from filebatch_worker.__main__ import _exit_code
from filebatch_worker.file import classify


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
