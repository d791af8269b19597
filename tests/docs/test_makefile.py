"""What the Makefile says of the tests holds."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
THROUGH_AIRFLOW = re.compile(
    r"^\s*(?:from|import) (?:airflow|filebatch\.(?:dag_builder|operators|run_context|sensors|triggers)|local_system)\b"
    r"|pytest\.mark\.(?:airflow|scheduler)",
    re.MULTILINE,
)


def test_whatever_goes_through_airflow_is_run_on_the_newest_too() -> None:
    (named,) = re.findall(r"^AIRFLOW_TESTS := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    places = [ROOT / place for place in named.replace("\\", " ").split()]
    tests = [test for test in (ROOT / "tests").rglob("test_*.py") if THROUGH_AIRFLOW.search(test.read_text())]
    elsewhere = [
        test.relative_to(ROOT)
        for test in tests
        # Terraform's and Docker's own tests take the Airflow that their documents name.
        if not {"infra", "compose"} & set(test.parts) and not any(test.is_relative_to(place) for place in places)
    ]

    assert len(tests) > 10
    assert elsewhere == []
