"""The seed by which the local AWS of tests is at its meanest: a number in FILEBATCH_MEAN, or `off` for a kind one."""

import os


def options(of: str) -> tuple[str, ...]:
    """Return options of the local AWS; `of` is what may go wrong: `requests`, or `all`."""
    seed = os.environ.get("FILEBATCH_MEAN", "off")
    return () if seed == "off" else ("--mean", str(int(seed)), "--mean-of", of)
