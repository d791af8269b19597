"""Odd files, each with what it must come out as: `cases/*.json`, whose form is told in `cases/README.md`."""

import base64
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from filebatch.core.tabular_options import PARSERS
from filebatch_worker.processor import ConfigurationError, InvalidFile, Processed, Source, load_processor

CASES = [case for path in sorted(Path(__file__).parent.glob("cases/*.json")) for case in json.loads(path.read_text())]


def test_every_case_has_a_name_of_its_own():
    assert len({case["case"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_an_odd_file(tmp_path, case):
    expected = {key: case[key] for key in ("names", "types", "rows", "invalid", "has") if key in case}
    assert outcome(tmp_path, case, expected) == expected


def outcome(workdir: Path, case: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Return what became of the file of `case`, as far as it is `asked` for."""
    content = base64.b64decode(case["base64"]) if "base64" in case else case["text"].encode()
    path = workdir / "fetched"
    path.write_bytes(content)
    source = Source(path, case["name"], len(content))
    try:
        processed = load_processor("tabular")(source, workdir / "out", case.get("options", {}))
    except InvalidFile as error:
        found = {
            "invalid": error.code,
            "has": asked.get("has", "") if asked.get("has", "") in error.message else error.message,
        }
    else:
        found = stored(processed)
    return {key: found[key] for key in asked if key in found} or found


def stored(processed: Processed) -> dict[str, Any]:
    """Return the names, the engine's types and the rows (values cast to text, times in UTC) of a result."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        data = connection.from_parquet(str(processed.outputs[0].path), hive_partitioning=False)
        as_text = ", ".join(f'CAST("{name.replace(chr(34), chr(34) * 2)}" AS VARCHAR)' for name in data.columns)
        rows = [list(row) for row in data.project(as_text).fetchall()]
        return {"names": data.columns, "types": [str(kind) for kind in data.types], "rows": rows}


@pytest.mark.parametrize("option", sorted(PARSERS))
def test_every_option_decides_a_case(tmp_path, option):
    deciding = (case for case in CASES if option in case.get("options", {}))
    assert any(_is_decided_by(tmp_path / str(at), case, option) for at, case in enumerate(deciding))


def _is_decided_by(workdir: Path, case: dict[str, Any], option: str) -> bool:
    """Whether another thing becomes of the file of `case` where `option` isn't set."""
    workdir.mkdir()
    expected = {key: case[key] for key in ("names", "types", "rows", "invalid", "has") if key in case}
    options = {name: value for name, value in case["options"].items() if name != option}
    try:
        return outcome(workdir, {**case, "options": options}, expected) != expected
    except ConfigurationError:  # what is left doesn't go together
        return True
