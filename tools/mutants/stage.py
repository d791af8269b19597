"""A copy of the repository in the layout that mutmut takes: sources below `src`, nothing that it can't mutate.

mutmut leaves decorated functions alone, as it would call their decorators once a mutant. So a property or a cached
function is written as a plain one whose name begins with `plain_`, and its decorator called by hand. Whatever is kept
from one test to the next is made anew, as a mutant would find there what was right before it.
"""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

# What is mutated: states, claiming, settling, takeover, doorbell, selection, packing, failures.
MODULES = (
    "core/conditions",
    "core/failures",
    "core/feed_moves",
    "core/file_moves",
    "core/moves",
    "core/record",
    "core/records",
    "core/run_moves",
    "feeds/key_dates",
    "feeds/patterns",
    "feeds/selection",
    "intake/doorbell",
    "runs/claiming",
    "runs/open_items",
    "runs/packing",
    "runs/plans",
    "runs/processing",
    "runs/rounds",
    "runs/selecting",
    "runs/settling",
    "runs/takeover",
)
TESTS = ("core", "feeds", "intake/test_doorbell.py", "runs")
# What these test isn't mutated, and needs more of AWS than the simulated one has.
ELSEWHERE = (
    "core/test_publishing.py",
    "runs/test_announcing.py",
    "runs/test_provoked.py",
    "runs/test_explaining.py",
    "runs/test_relisting.py",
    "runs/test_run_history.py",
    "runs/test_sns_message.py",
)
BESIDE = ("plugins", "tests", "worker", "infra/local", "infra/documents", "dags", "samples")
# What a log line says is for people; which lines there are, and what they name, is tested where somebody acts on it.
LEFT_ALONE = (r"^\s*log\.\w+\(", r"^\s*told = ")

CALLED_BY_HAND = ("property", "cached_property", "cache", "lru_cache")
FORGET = """

@pytest.fixture(autouse=True)
def nothing_is_kept(request: pytest.FixtureRequest) -> None:
    import sys

    import moves

    for module in [each for name, each in sys.modules.items() if name.startswith("filebatch.")]:
        for cached in [each for each in vars(module).values() if hasattr(each, "cache_clear")]:
            cached.cache_clear()
    sys.modules["filebatch.core.record"]._KINDS.clear()
    if {"ALL", "after"} & vars(request.module).keys():
        moves.ALL.update({**moves.of_files(), **moves.of_runs(), **moves.of_feeds()})
"""


def build(root: Path, stage: Path) -> None:
    """Make the copy anew."""
    shutil.rmtree(stage, ignore_errors=True)
    unneeded = shutil.ignore_patterns("__pycache__", ".*", "e2e", "scheduler", "compose")
    shutil.copytree(root / "plugins/filebatch", stage / "src/filebatch", ignore=unneeded)
    for place in BESIDE:
        shutil.copytree(root / place, stage / place, ignore=unneeded)
    for module in MODULES:
        path = stage / "src/filebatch" / f"{module}.py"
        path.write_text(plain(path.read_text(encoding="utf-8")), encoding="utf-8")
    with (stage / "tests/conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(FORGET)
    (stage / "pyproject.toml").write_text(settings(), encoding="utf-8")


def settings() -> str:
    """Return mutmut's and pytest's settings in the copy."""
    mutmut = {
        "source_paths": ["src"],
        "only_mutate": [f"src/filebatch/{module}.py" for module in MODULES],
        "also_copy": list(BESIDE),
        "do_not_mutate_patterns": list(LEFT_ALONE),
        "pytest_add_cli_args": [
            *("--in-memory", "-p", "no:cacheprovider"),
            *(f"--ignore=tests/filebatch/{tests}" for tests in ELSEWHERE),
        ],
        "pytest_add_cli_args_test_selection": [f"tests/filebatch/{tests}" for tests in TESTS],
    }
    pytest = {
        "pythonpath": ["src", "worker", "infra/local", "dags", "tests"],
        "addopts": "-ra --import-mode=importlib",
        "markers": ["airflow: ", "scheduler: ", "browser: ", "docker: ", "terraform: "],
    }
    return f"[tool.mutmut]\n{_written(mutmut)}\n[tool.pytest.ini_options]\n{_written(pytest)}"


def _written(table: Mapping[str, Sequence[str]]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items())  # JSON's strings are TOML's


def plain(source: str) -> str:
    """Return a module in which the decorators of properties and cached functions are called by hand."""
    lines = source.splitlines()
    for function, decorator in sorted(_decorated(ast.parse(source)), key=lambda each: -each[0].lineno):
        name, header = function.name, function.lineno - 1
        lines.insert(function.end_lineno or 0, f"{' ' * function.col_offset}{name} = {decorator}(plain_{name})")
        lines[header] = lines[header].replace(f"def {name}(", f"def plain_{name}(", 1)
        del lines[function.decorator_list[0].lineno - 1]
    return "\n".join(lines) + "\n"


def _decorated(module: ast.Module) -> Iterator[tuple[ast.FunctionDef, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and len(node.decorator_list) == 1:
            written = ast.unparse(node.decorator_list[0])
            if written.partition("(")[0] in CALLED_BY_HAND:
                yield node, written
