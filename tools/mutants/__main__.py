"""`python -m mutants [NAME…]`: change one thing at a time in the plain modules, and say which changes no test notices.

NAME is mutmut's name of mutants, such as `filebatch.runs.packing*`; without any, all are tried. Exit code 1 where the
score is below what docs/testing.md promises, or a mutant that is listed as equivalent is none any more.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mutants import score, stage

ROOT = Path(__file__).parents[2]
STAGE = ROOT / ".mutants"
LEAST = 90.0  # percent of the mutants that aren't equivalent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run mutmut over a staged copy; print the survivors and the score by module."""
    parser = argparse.ArgumentParser(prog="mutants", description="Say which changes of the code no test notices.")
    parser.add_argument("names", nargs="*", help="mutmut's names of mutants, with * (default: all)")
    names = parser.parse_args(arguments).names
    stage.build(ROOT, STAGE)
    if subprocess.run([ROOT / ".venv-mutants/bin/mutmut", "run", *names], cwd=STAGE, check=False).returncode:
        return 1
    tried = score.read(STAGE / "mutants/src", score.equivalents())
    sys.stdout.write(score.report(tried))
    return int(score.percent(tried) < LEAST or bool(score.mistaken(tried)))


if __name__ == "__main__":
    sys.exit(main())
