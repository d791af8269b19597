"""What real files come out as. GOLDEN=write in the environment renews what is expected."""

import hashlib
import json
import os
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[4] / "samples"
GOLDEN = Path(__file__).parent / "golden"
NAMES = ["airports.csv", "iowa-electricity.csv", "seattle-weather.csv", "wheat.json"]


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_as_it_was(run, name):
    found = run((SAMPLES / name).read_bytes(), name).profile
    path = GOLDEN / f"{name}.profile.json"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    assert found == json.loads(path.read_text())


@pytest.mark.parametrize("name", NAMES)
def test_the_same_file_gives_the_same_bytes(run, name):
    def digests() -> list[str]:
        outputs = run((SAMPLES / name).read_bytes(), name).processed.outputs
        return [hashlib.sha256(output.path.read_bytes()).hexdigest() for output in outputs]

    assert digests() == digests()


def test_rows_keep_their_order_and_bytes_repeat_in_a_file_of_many_row_groups(run):
    content = "id,text\n" + "".join(f"{at},text {at * 7919 % 1000}\n" for at in range(600_000))
    first, second = run(content), run(content)
    assert first.column("id") == list(range(600_000))
    data = [result.processed.outputs[0].path.read_bytes() for result in (first, second)]
    assert data[0] == data[1]
