"""Who asks for which files, and what is done: each row of the table in docs/feeds.md is a run of the real tasks.

`WRITE_GOLDEN=1` writes the table anew, for a change that is meant.
"""

import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aws import REGION, ROOT, Place, feed_of
from e2e.tasks import DagRun, Run
from filebatch.core import clock, listed
from filebatch.core.records import FileRecord, FileState
from filebatch.core.rows import Row

DOCUMENT = ROOT / "docs" / "feeds.md"
BEGIN, END = "<!-- made by tests/filebatch/operators/test_ways_in.py -->\n", "<!-- made -->\n"
FEED = feed_of(
    "days",
    pattern=r"(?P<date>\d{4}-\d{2}-\d{2})/[^/]+\.csv",
    day_prefix="%Y-%m-%d/",
    start="2026-01-01",
    schedule="0 0 * * *",
)
# Files of the bucket → what the ledger says of them; None: it hasn't heard of them.
FILES: Mapping[str, str | None] = {
    "2026-01-02/waits.csv": "ARRIVED",
    "2026-01-02/unseen.csv": None,
    "2026-01-02/failed.csv": "FAILED",
    "2026-01-02/done.csv": "SUCCEEDED",
    "2026-01-02/wrong.CSV": None,
    "2026-01-03/done.csv": "SUCCEEDED",
    "2025-12-31/old.csv": None,
}
DONE, WAITS, OLD = "days/2026-01-03/done.csv", "days/2026-01-02/waits.csv", "days/2025-12-31/old.csv"


@dataclass(frozen=True)
class Asked:
    """A row: how a run comes about (all ways that have to do the same), and its params."""

    by: str
    runs: tuple[Mapping[str, Any], ...]
    params: Mapping[str, Any]


def dated(day: int, month: int = 1, year: int = 2026) -> tuple[Mapping[str, Any], ...]:
    """A date, as a backfill has it, and as `dags test`, the form and the REST API do."""
    date = datetime(year, month, day, tzinfo=UTC)
    return tuple({"run_type": each, "logical_date": date} for each in ("backfill", "manual"))


NOW: tuple[Mapping[str, Any], ...] = ({"run_type": "manual", "logical_date": datetime.now(UTC)}, {"run_type": "manual"})
DATE = "a date, by backfill, `dags test`, form or REST: "
ROWS = [
    Asked("an arrival", ({"run_type": "asset_triggered"},), {}),
    Asked("the schedule", ({"run_type": "scheduled", "logical_date": datetime(2026, 1, 2, tzinfo=UTC)},), {}),
    Asked("an empty form, or no conf", NOW, {}),
    Asked(f"{DATE}2026-01-02", dated(2), {}),
    Asked(f"{DATE}2026-01-02", dated(2), {"force": True}),
    Asked(f"{DATE}2026-01-02", dated(2), {"pattern": ".*/w.*"}),
    Asked(f"{DATE}2026-01-03", dated(3), {}),
    Asked(f"{DATE}2026-01-04", dated(4), {}),
    Asked(f"{DATE}2025-12-31", dated(31, 12, 2025), {}),
    Asked("form or conf", NOW, {"from": "2026-01-02", "to": "2026-01-02"}),
    Asked("form or conf", NOW, {"from": "2026-01-02", "to": "2026-01-03", "force": True}),
    Asked("form or conf", NOW, {"prefix": "days/2026-01-03"}),
    Asked("form or conf", NOW, {"state": "FAILED", "since": "2026-01-02", "reason": "the disk is fixed"}),
    Asked("form or conf", NOW, {"state": "SUCCEEDED"}),
    Asked("form or conf", NOW, {"state": "SUCCEEDED", "prefix": "days/2026-01-03", "force": True}),
    Asked("form or conf", NOW, {"code": "timeout"}),
    Asked("form or conf", NOW, {"keys": [WAITS]}),
    Asked("form or conf", NOW, {"keys": [WAITS, DONE]}),
    Asked("form or conf", NOW, {"keys": [DONE]}),
    Asked("form or conf", NOW, {"keys": [DONE], "force": True}),
    Asked("form or conf", NOW, {"keys": [OLD]}),
    Asked("form or conf", NOW, {"keys": ["days/2026-01-02/absent.csv"]}),
    Asked("form or conf", NOW, {"keys": ["days/2026-01-02/wrong.CSV"]}),
    Asked("form or conf", NOW, {"key": [WAITS]}),
    Asked("form or conf", NOW, {"keys": []}),
    Asked("form or conf", NOW, {"force": True}),
    Asked(f"{DATE}2026-01-02", dated(2), {"keys": [WAITS]}),
]


def a_place(server: Any, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str | None] = FILES) -> Place:
    """A corner of the local AWS with the files, and the feed's queue and job definition."""
    here = Place(server)
    keys = {**server.credentials(), "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": server.endpoint}
    for name, value in {**keys, "AIRFLOW_CONN_AWS_DEFAULT": "aws://"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW_VAR_FILEBATCH", json.dumps(asdict(here.settings())))
    here.connect("sqs").create_queue(QueueName=f"{here.name}-{FEED.name}")
    define(here)
    for name, state in files.items():
        file = here.put(f"days/{name}")
        if state:
            here.arrive(file, feed=FEED)
            become(here, f"s3://{here.new_files}/{file.key}", file.version, state)
    return here


def define(here: Place) -> None:
    name = here.job_definition("exit 0")
    batch = here.connect("batch")
    container = batch.describe_job_definitions(jobDefinitionName=name)["jobDefinitions"][0]["containerProperties"]
    wanted = here.settings().job_definition(FEED.name)
    batch.register_job_definition(
        type="container", jobDefinitionName=wanted, platformCapabilities=["FARGATE"], containerProperties=container
    )


def become(here: Place, pk: str, sk: str, state: str) -> None:
    """Write a state as an earlier run left it: a settled file waits for nobody."""
    if state == "ARRIVED":
        return
    here.connect("dynamodb").update_item(
        TableName=here.table,
        Key={"pk": {"S": pk}, "sk": {"S": sk}},
        UpdateExpression="SET #state = :state, attempts = :three, listed_at = :listed_at REMOVE #open, due_at",
        ExpressionAttributeNames={"#state": "state", "#open": "open"},
        ExpressionAttributeValues={
            ":state": {"S": state},
            ":three": {"N": "3"},
            ":listed_at": {"S": listed.place(Row(FileRecord, pk, sk), FileState(state), clock.now())},
        },
    )


def outcome(here: Place, asked: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """Run what waits and claims; return what was taken, or how it ended."""
    run = Run(FEED, asdict(here.settings()), DagRun(FEED.name, f"manual__{uuid.uuid4()}", **asked), params)
    try:
        run.task("wait_for_files")
        run.task("claim_files")
    except AirflowSkipException as error:
        return f"skipped: {said(here, error)}"
    except AirflowFailException as error:
        return f"fails: {said(here, error)}"
    return ", ".join(taken(here))


def said(here: Place, error: Exception) -> str:
    """Return what a run says, with the names of any other environment's."""
    text = str(error).replace(here.new_files, "BUCKET").removeprefix("nothing to do for days: ")
    return re.sub(r"\s+", " ", text)


def taken(here: Place) -> Iterator[str]:
    items = here.connect("dynamodb").scan(TableName=here.table, ConsistentRead=True)["Items"]
    for item in sorted(items, key=lambda each: each.get("key", {"S": ""})["S"]):
        if item.get("state") == {"S": "CLAIMED"} and "key" in item:
            again = " (again)" if item["generation"]["N"] != "1" else ""
            yield f"`{item['key']['S'].removeprefix('days/').removesuffix('.csv')}`{again}"


@pytest.fixture(scope="module")
def made(server: Any) -> Iterator[list[tuple[Asked, set[str]]]]:
    with pytest.MonkeyPatch.context() as patch:
        yield [(row, set(outcomes(server, patch, row))) for row in ROWS]


def outcomes(server: Any, patch: pytest.MonkeyPatch, row: Asked) -> Iterator[str]:
    """Ask in each way, anew where the run before has taken files."""
    here = None
    for run in row.runs:
        here = here or a_place(server, patch)
        found = outcome(here, run, row.params)
        here = here if found.startswith(("skipped", "fails")) else None
        yield found


def test_the_same_question_has_one_answer_however_the_run_came_about(made: list[tuple[Asked, set[str]]]) -> None:
    assert [(row.by, row.params, found) for row, found in made if len(found) != 1] == []


def test_the_table_of_the_feed_reference_is_what_is_done(made: list[tuple[Asked, set[str]]]) -> None:
    rows = [f"| {row.by} | {params_of(row)} | {escaped(min(found))} |" for row, found in made]
    table = "\n".join(["| asked by | params | takes, or how it ends |", "|---|---|---|", *rows]) + "\n"
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    written, _, after = rest.partition(END)
    if os.environ.get("WRITE_GOLDEN"):
        DOCUMENT.write_text(f"{before}{BEGIN}{table}{END}{after}", encoding="utf-8")
        return
    assert written == table


def params_of(row: Asked) -> str:
    return f"`{json.dumps(dict(row.params))}`" if row.params else ""


def escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def test_of_named_files_the_log_says_why_one_is_not_done(
    server: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outcome(a_place(server, monkeypatch), NOW[0], {"keys": [WAITS, DONE, OLD]})
    told = caplog.text
    assert f"not done: '{DONE}': done (SUCCEEDED); with force it is done again" in told
    assert f"not done: '{OLD}': history" in told
    assert f"not done: '{WAITS}'" not in told


def test_what_a_run_is_responsible_for_stands_in_an_xcom_for_whoever_looks_at_the_run() -> None:
    run = Run(FEED, {"buckets": {"new_files": "b"}}, DagRun(FEED.name, "r", run_type="asset_triggered"))
    context = run._context()

    run._operator("wait_for_files").execute(context)

    assert context["ti"].xcoms == {"selection": "all files that wait"}


# --------------------------------------------------------------------------------------------- whatever is asked for

DAYS = ("2025-12-31", "2026-01-02", "2026-01-03")
STATES = st.sampled_from(["ARRIVED", "FAILED", "SUCCEEDED", "INVALID", None])
BUCKETS = st.dictionaries(
    st.tuples(st.sampled_from(DAYS), st.sampled_from(["a.csv", "b.csv", "b.CSV"])).map("/".join), STATES, max_size=6
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "from": st.sampled_from(DAYS),
        "to": st.sampled_from(DAYS),
        "prefix": st.sampled_from(["days/", "days/2026-01-02/", "days/2026-01-0"]),
        "pattern": st.sampled_from([".*/a.csv", ".*", "nothing"]),
        "force": st.booleans(),
    },
) | st.fixed_dictionaries(
    {"keys": st.lists(st.sampled_from([f"days/{day}/{name}.csv" for day in DAYS for name in "ab"]), min_size=1)},
    optional={"force": st.booleans()},
)


def names(request: Mapping[str, Any], name: str) -> bool:
    """Tell whether the words of a request name a file of the bucket: a second reading of them, which shares no code."""
    key, day = f"days/{name}", name.split("/", maxsplit=1)[0]
    if request.get("keys"):
        return key in request["keys"]
    rest = key.removeprefix(request.get("prefix", "days/"))
    return (
        key.startswith(request.get("prefix", "days/"))
        and re.fullmatch(request.get("pattern", ".*"), rest) is not None
        and request.get("from", "") <= day <= request.get("to", "9")
    )


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(BUCKETS, REQUESTS)
def test_whatever_is_asked_for_is_done_or_the_run_says_why_not(
    server: Any, caplog: pytest.LogCaptureFixture, bucket: Mapping[str, str | None], request: Mapping[str, Any]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        here = a_place(server, patch, bucket)
        caplog.clear()
        end = outcome(here, {"run_type": "manual"}, request)
        claimed = {each.partition("`")[2].partition("`")[0] + ".csv" for each in taken(here)}
        told = f"{end}\n{caplog.text}"
    if end.startswith("fails: param") or request.keys() <= {"force"}:
        return
    named = {name for name in bucket if names(request, name)}
    assert claimed <= named
    if f"so none of the {len(set(request.get('keys', ())))} named files is done" in end:
        return
    for name in named - claimed:
        counted = {"SUCCEEDED": r"\d+ done", "INVALID": r"\d+ done"}.get(bucket[name] or "", r"\d+ (history|unmatched)")
        assert f"'days/{name}'" in told or re.search(counted, told), (name, told)
    if request.get("force"):
        assert {name for name in named if name.endswith(".csv") and name >= "2026"} <= claimed
    for key in set(request.get("keys", ())) - {f"days/{name}" for name in bucket}:
        assert f"'{key}'" in told
