"""The whole way on the local AWS at its meanest: what AWS may do it does, and each file ends as it is, once.

Tests that count requests, or say which run does a file, ask for more than AWS promises; this one doesn't. What a task
meets with is tried again as Airflow does, and what one run doesn't see another does. FILEBATCH_MEAN is the seed.
"""

import logging
from collections.abc import Iterator

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

import mean
from demo.subscriber import subscribe
from e2e.steps import a_run
from e2e.system import LINES, System, system
from e2e.tasks import ENDED, TASKS, Run
from filebatch.core import clock
from filebatch.core.conditions import Equal, Present
from filebatch.core.moves import Move
from filebatch.core.records import FileState
from filebatch.dag_builder import RETRIES
from filebatch.feeds.feed import Feed
from filebatch_local.base.mean import MISHAPS, REQUESTS

pytestmark = pytest.mark.airflow

log = logging.getLogger(__name__)
SEED = mean.SEED if mean.IS_ON else "1"
RUNS = 8  # after so many a file that isn't settled is lost
CONTENTS = {"raises": ("raise\n", "FAILED"), "broken": ("invalid\n", "INVALID"), "killed": ("kill-once\n", "SUCCEEDED")}
CONTENTS |= {f"good-{number}": ("one\ntwo\n", "SUCCEEDED") for number in range(9)}
EXPECTED = {f"lines/{name}.txt": state for name, (_, state) in CONTENTS.items()}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with (
        system(tmp_path_factory.mktemp("mean"), feeds=[LINES], options=("--mean", SEED, "--mean-of", "all")) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in running.variables.items():
            if name.startswith(("AWS_", "AIRFLOW_VAR_", "AIRFLOW_CONN_")):
                patch.setenv(name, value)
        yield running


def tried(run: Run, task: str) -> bool:
    """Have a task done, and again as often as Airflow does; tell whether it ended well."""
    for _ in range(RETRIES["retries"]):
        try:
            run.task(task)
        except AirflowSkipException:
            return task == "wait_for_files"  # nothing to wait for, or nothing to do
        except AirflowFailException:
            return False
        except Exception:
            log.exception("%s of %s is tried again", task, run.facts.run_id)
        else:
            return True
    run.task(task)
    return True


def done(here: System, feed: Feed) -> Run:
    """Have a run done: its tasks in their order up to one that fails, and its teardowns whatever became of these."""
    run = a_run(here, feed)
    went_well = all(tried(run, task) for task in TASKS[:3])
    for task in TASKS[3:]:
        tried(run, task)
    ENDED[run.facts.run_id] = "success" if went_well else "failed"
    return run


def no_backoff_is_left(here: System) -> None:
    """Have what failed be due at once: runs follow each other without the minutes that it would wait."""
    now = {"due_at": clock.to_iso(clock.now())}
    for item in here.files("lines/").values():
        here.ledger.try_move(Move(item.row, (Equal("state", FileState.FAILED), Present("open")), become=now))


def test_each_file_ends_as_it_is_and_is_done_once(here: System, lines: Feed) -> None:
    inbox = subscribe(here.client("sns"), here.client("sqs"), here.aws.settings["topics"])
    for name, (content, _) in CONTENTS.items():
        here.put(f"lines/{name}.txt", content)

    runs = []
    while here.states() != EXPECTED and len(runs) < RUNS:
        runs.append(done(here, lines))
        no_backoff_is_left(here)

    assert here.states() == EXPECTED, f"after {len(runs)} runs"
    for key, state in EXPECTED.items():
        assert len(here.commits(key)) == (0 if state == "FAILED" else 1), key
    assert here.audit().startswith("lost=0 doubled=0 untrue=0 stuck=0"), here.audit()
    told = [file["key"] for note in inbox.received() for file in note["message"]["files"]]
    assert {"lines/raises.txt", "lines/broken.txt"} <= set(told)


def test_something_went_wrong_meanwhile(here: System) -> None:
    """Else the test before this one has shown nothing."""
    found = here.aws.ask("GET", "mean")
    assert found["seed"] == int(SEED)
    assert len(found["happened"].keys() & REQUESTS.keys()) >= 3, found
    assert len(found["happened"].keys() & MISHAPS.keys()) >= 5, found
