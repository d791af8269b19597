"""A plugin of pytest: tests that docs/guarantees.md names are run without their safeguards, and pass if they fail then.

A test takes its safeguard for granted that still passes when it is gone.
"""

from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

import pytest

from simulation.safeguards import HELD_BY_TESTS, SAFEGUARDS


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, None]:
    """Run a test without the safeguards that it holds; pass where it notices that."""
    names = [name for name, held in HELD_BY_TESTS.items() if held.test == item.nodeid.partition("[")[0]]
    try:
        with ExitStack() as stack:
            for name in names:
                SAFEGUARDS[name].out(stack)
            yield
    except (AssertionError, pytest.fail.Exception):
        return
    raise AssertionError(f"it passes without {names}")
