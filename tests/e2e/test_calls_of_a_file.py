"""How many AWS calls a small file takes, all told: the list that docs/cost.md has."""

import json
from collections import Counter

import pytest

from aws import ROOT
from cost import calls
from e2e.steps import a_run
from e2e.system import System
from filebatch.feeds.feed import load_feed
from golden import agrees

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("audited"), pytest.mark.exact("it counts requests")]

FEW, MANY = 2, 22
AT_MOST = 9
A_RUN = 200  # files
# As often as time passes, not as files come: once a second at first, then a twentieth of the time waited.
POLL = "batch.describejobs"


def run_of(here: System, count: int) -> Counter[str]:
    recording = here.folder / "requests.jsonl"
    before = len(recording.read_text(encoding="utf-8").splitlines())
    for number in range(count):
        here.put(f"tables/{count}-{number}.csv", f"a,b\n{number},1\n")
    a_run(here, load_feed(ROOT / "dags" / "feeds" / "tables.yaml")).all()
    lines = recording.read_text(encoding="utf-8").splitlines()[before:]
    assert set(here.states(f"tables/{count}-").values()) == {"SUCCEEDED"}
    return calls.counted(json.loads(line) for line in lines)


def test_a_small_file_takes_at_most_nine_calls_and_these(here: System) -> None:
    run_of(here, 1)  # what is done once a feed, not once a run
    few, many = run_of(here, FEW), run_of(here, MANY)
    a_file = {name: (many[name] - few[name]) / (MANY - FEW) for name in sorted({*few, *many} - {POLL})}
    once = sum(few[name] - FEW * number for name, number in a_file.items())
    # Whole numbers: what a container or a moment makes more of, once in a few files, is none of a file's own.
    own = {name: round(number) for name, number in a_file.items() if calls.is_a_files_own(name) and round(number)}
    assert agrees("calls-of-a-file", own)
    assert sum(a_file.values()) + once / A_RUN <= AT_MOST
