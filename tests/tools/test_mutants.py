"""Mutants: what is mutated exists, what is listed as equivalent is what the code says, and the score is what it is."""

import ast
from pathlib import Path

import pytest

from mutants import score, stage
from mutants.score import Change, Mutant

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "plugins"

CODE = '''
class File:
    @property
    def job(self):
        """The job."""
        return self.fence or self.job_id

    @staticmethod
    def at(file):
        return file


@lru_cache(maxsize=8)
def read(text):
    return text + "!"
'''


def test_properties_and_cached_functions_are_plain_functions_that_mean_the_same():
    found = {}
    exec(stage.plain(f"from functools import lru_cache\n{CODE}"), found)  # noqa: S102 - the code stands above
    file = found["File"]()
    file.fence, file.job_id = None, "j1"
    assert (file.job, file.plain_job(), file.at(3)) == ("j1", "j1", 3)
    assert (found["read"]("a"), found["plain_read"]("a"), found["read"].cache_info().maxsize) == ("a!", "a!", 8)


@pytest.mark.parametrize("module", stage.MODULES)
def test_what_is_mutated_is_there_and_stays_code(module):
    ast.parse(stage.plain((SOURCES / "filebatch" / f"{module}.py").read_text()))


@pytest.mark.parametrize("change", score.equivalents(), ids=lambda change: change.module)
def test_what_is_listed_as_equivalent_changes_a_line_that_is_there(change):
    path = SOURCES / f"{change.module.replace('.', '/')}.py"
    assert change.was in path.read_text()
    assert path.relative_to(SOURCES / "filebatch").with_suffix("").as_posix() in stage.MODULES


def test_a_mutant_is_known_by_the_lines_that_it_changes(tmp_path):
    (tmp_path / "filebatch").mkdir()
    (tmp_path / "filebatch/x.py").write_text(
        "def x_f__mutmut_orig(a):\n    b = a\n    return b > 1\n\n\n"
        "def x_f__mutmut_1(a):\n    b = a\n    return b >= 1\n"
    )
    (tmp_path / "filebatch/x.py.meta").write_text('{"exit_code_by_key": {"filebatch.x.x_f__mutmut_1": 0}}')
    change = Change("filebatch.x", "return b > 1", "return b >= 1")
    assert score.read(tmp_path, {}) == [Mutant("filebatch.x.x_f__mutmut_1", change, True, "")]
    assert score.read(tmp_path, {change: "why"}) == [Mutant("filebatch.x.x_f__mutmut_1", change, True, "why")]


def mutant(*, survived, equivalent=""):
    return Mutant("m", Change("filebatch.x", "a", "b"), survived, equivalent)


def test_the_score_counts_what_was_noticed_of_what_could_be():
    tried = [mutant(survived=False)] * 3 + [mutant(survived=True), mutant(survived=True, equivalent="why")]
    assert score.percent(tried) == 75
    assert "| `filebatch.x` | 5 | 1 | 1 | 75.0 % |" in score.report(tried)
    assert score.mistaken(tried) == []


def test_one_that_is_listed_as_equivalent_and_was_noticed_is_named():
    tried = [mutant(survived=False, equivalent="why")]
    assert score.mistaken(tried) == tried
    assert "listed as equivalent, but a test noticed it" in score.report(tried)
