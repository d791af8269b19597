"""The interface that users' own processors are written against."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from filebatch_worker.processor import (
    ConfigurationError,
    InvalidFile,
    Processed,
    Source,
    check_options,
    load_processor,
)


def test_the_built_in_processor_is_found_by_its_name():
    assert load_processor("tabular").__module__.startswith("filebatch_worker.processors.tabular")


def test_a_users_own_processor_is_found_by_module_and_function():
    assert load_processor("textwrap:dedent")("  a") == "a"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tabluar", "tabular"),
        ("no.such.module:process", "cannot import no.such.module"),
        ("textwrap:no_such", "has no function 'no_such'"),
        ("textwrap:", "package.module:function"),
        ("string:digits", "has no function"),
    ],
)
def test_what_is_no_processor_is_a_configuration_error_that_says_why(name, said):
    with pytest.raises(ConfigurationError, match=said):
        load_processor(name)


def test_options_are_checked_before_the_first_file():
    with pytest.raises(ConfigurationError, match=r"option colums: .* an unknown option"):
        check_options(load_processor("tabular"), {"colums": {}})


def test_a_processor_without_a_check_takes_any_options():
    check_options(load_processor("textwrap:dedent"), {"anything": 1})


def test_an_invalid_file_says_only_what_is_known_of_the_place():
    error = InvalidFile("ragged", "line 3: 2 columns", line=3, column=None)
    assert (error.code, error.message, error.where) == ("ragged", "line 3: 2 columns", {"line": 3})


def test_results_do_not_share_their_notes():
    assert Processed(()).notes is not Processed(()).notes


def test_the_interface_needs_nothing_but_the_standard_library():
    code = (
        "import sys, filebatch_worker.processor; "
        "print([m for m in ('duckdb', 'boto3', 'airflow', 'backports') if m in sys.modules])"
    )
    path = next(entry for entry in sys.path if entry.endswith("worker"))
    result = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=path, check=True)
    assert result.stdout.strip() == "[]"


def test_loading_the_tabular_processor_does_not_load_its_engine():
    code = (
        "import sys; from filebatch_worker.processor import *; p = load_processor('tabular'); "
        "check_options(p, {'columns': {'a': 'date'}}); print('duckdb' in sys.modules)"
    )
    paths = [entry for entry in sys.path if entry.endswith(("/worker", "/plugins"))]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, env=variables, check=True)
    assert result.stdout.strip() == "False"


def test_the_processor_of_the_documentation_works(tmp_path):
    document = Path(__file__).parents[2] / "docs" / "processors.md"
    (code, *_) = re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL)
    module: dict[str, Any] = {}
    exec(code, module)  # noqa: S102 - the document's own
    (tmp_path / "t").write_bytes(b"a\nb\n")
    processed = module["count_lines"](Source(tmp_path / "t", "t", 4), tmp_path, {})
    assert (processed.rows, processed.outputs[0].path.read_text()) == (2, "2\n")
    (tmp_path / "t").write_bytes(b"")
    with pytest.raises(InvalidFile):
        module["count_lines"](Source(tmp_path / "t", "t", 0), tmp_path, {})
