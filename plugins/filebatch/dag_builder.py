"""A feed's DAG. One DAG serves all ways in: arrivals, the sweep's schedule, backfills, the form, the REST API."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from airflow.sdk import (
    DAG,
    Asset,
    AssetOrTimeSchedule,
    AssetWatcher,
    CronDataIntervalTimetable,
    Param,
    get_parsing_context,
)

from filebatch.core.records import FileState
from filebatch.feeds import windows
from filebatch.feeds.feed import Feed, load_feed, load_feeds
from filebatch.feeds.selection import Selection
from filebatch.operators.claim_files import ClaimFilesOperator
from filebatch.operators.notify import NotifyOperator
from filebatch.operators.process_files import ProcessFilesOperator
from filebatch.operators.publish_metrics import PublishFeedMetricsOperator
from filebatch.run_context import AWS_CONN_ID
from filebatch.sensors.wait_for_files import WaitForFilesSensor
from filebatch.triggers.arrivals import ArrivalsTrigger

# Backfill runs count against max_active_runs and would block arrivals; claims and Batch bound the work instead.
UNBOUNDED_RUNS = 1000

MAX_TAG = 100  # characters, which Airflow takes

# The first try again comes soon, as a scheduler that is behind fails tries of tasks that were right (see the known
# limits in docs/architecture.md); the last comes after 5 to 10 minutes, which outlives most troubles of a service.
RETRIES = {
    "retries": 6,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2.0,
}  # times as long each time


def feed_dags(folder: Path) -> dict[str, DAG]:
    """Return the DAGs of a folder's feed files by name, without the feeds that are broken.

    The process of a task gets the one that it runs: to build the others would cost each task more with each feed.
    https://airflow.apache.org/docs/apache-airflow/stable/howto/dynamic-dag-generation.html

    Raises:
        FeedError: the file of the task's feed is broken or gone.
    """
    parsing = get_parsing_context()
    if parsing.task_id and parsing.dag_id:
        feeds = [load_feed(folder / f"{parsing.dag_id}.yaml")]
    else:
        feeds, _ = load_feeds(folder)
    return {feed.name: build_dag(feed) for feed in feeds}


def build_dag(feed: Feed) -> DAG:
    """Return the feed's DAG: wait, claim, process; then metrics and notification, whatever happened."""
    with DAG(
        dag_id=feed.name,
        description=feed.description,
        schedule=schedule(feed),
        start_date=datetime.combine(feed.start, time.min, UTC),
        catchup=False,
        max_active_runs=UNBOUNDED_RUNS,
        default_args=RETRIES,
        params=params(feed),
        doc_md=documentation(feed),
        tags=["filebatch", feed.processor[:MAX_TAG]],
        render_template_as_native_obj=False,
    ) as dag:
        wait = WaitForFilesSensor(task_id="wait_for_files", feed=feed)
        claim = ClaimFilesOperator(task_id="claim_files", feed=feed)
        process = ProcessFilesOperator(task_id="process_files", feed=feed)
        # Teardowns run whatever happened before them, and don't make a failed run green.
        metrics = PublishFeedMetricsOperator(task_id="publish_metrics", feed=feed).as_teardown()
        notify = NotifyOperator(task_id="notify", feed=feed).as_teardown()
        wait >> claim >> process >> [metrics, notify]
    return dag


def schedule(feed: Feed) -> AssetOrTimeSchedule:
    """Return when the feed's DAG runs: when its bell rings, and for each sweep, as a backfill does for its dates."""
    watcher = AssetWatcher(name=f"{feed.name}-doorbell", trigger=ArrivalsTrigger.of(feed, AWS_CONN_ID))
    arrivals = Asset(name=f"{feed.name}-arrivals", uri=f"filebatch://{feed.name}/arrivals", watchers=[watcher])
    sweeps = CronDataIntervalTimetable(feed.schedule, timezone="UTC")
    return AssetOrTimeSchedule(timetable=sweeps, assets=[arrivals])


def params(feed: Feed) -> dict[str, Param]:
    """Return the trigger form: all fields empty means everything that waits."""
    optional = ["null", "string"]
    return {
        "keys": Param(
            None,
            type=["null", "array", "string"],
            items={"type": "string"},
            title="Keys",
            description=f"Exactly these object keys, or s3:// URLs, one a line, each under {feed.prefix} . "
            "Each is done, or the log says why not.",
        ),
        "prefix": Param(
            None,
            type=optional,
            title="Prefix",
            description=f"Only keys that begin with it, such as {feed.prefix}2026-01- . It goes with all but keys.",
        ),
        "pattern": Param(
            None,
            type=optional,
            title="Pattern",
            description="Only keys whose rest after the prefix this regular expression (RE2) matches as a whole.",
        ),
        "from": Param(
            None,
            type=optional,
            title="From",
            description="Only files of this day or time, or later, UTC: 2026-01-02 or 2026-01-02T03:04:05Z .",
        ),
        "to": Param(
            None,
            type=optional,
            title="To",
            description="Only files of up to this day, which is included, or of before this time, UTC. "
            "The same day as in From is one day.",
        ),
        "state": Param(
            None,
            type=optional,
            enum=[None, *map(str, FileState)],
            title="State",
            description="Only files that the ledger has in this state: FAILED ones are tried again, ARRIVED ones "
            "taken; SUCCEEDED and INVALID ones need the tick below. CLAIMED ones are given back, and taken, if their "
            "job has ended.",
        ),
        "code": Param(
            None,
            type=optional,
            title="Code",
            description="Only files that are FAILED, or INVALID, for this reason, such as timeout .",
        ),
        "since": Param(
            None,
            type=optional,
            title="Since",
            description="Only files that have been in their state since this day or time, UTC, or later.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Do finished files again",
            description="Done files are done again, as a new generation; readers see the old result until then. "
            "It goes with each of the fields above and with a past date, but not alone.",
        ),
        "wait": Param(
            0,
            type="integer",
            minimum=0,
            maximum=86_400,
            title="Wait for named keys",
            description="Seconds to wait for keys that aren't in the bucket yet.",
        ),
        "reason": Param(
            None,
            type=optional,
            title="Reason",
            description="Why, in a sentence: it stays with each file that the run takes.",
        ),
    }


def documentation(feed: Feed) -> str:
    """Return the DAG's page in the UI."""
    everything, day = Selection(), datetime.combine(feed.start, time.min, UTC)
    dated = Selection(prefix=feed.prefix, window=windows.of_date(feed.schedule, day))
    rows = {
        "files": f"`{feed.prefix}` + `{feed.pattern}`, from {feed.start}",
        "processor": f"`{feed.processor}`",
        "container": f"{feed.vcpu} vCPU ({feed.architecture}), {feed.memory} MiB, {feed.disk} GiB disk",
        "a unit may take": f"{feed.timeout} s",
        "sweep": f"`{feed.schedule}` (UTC); a backfill makes one run for each of these times",
        "attempts": f"{feed.max_attempts} for a file that fails",
        "run fails on": ("more than " if feed.fail_run_on.endswith("%") else "") + f"{feed.fail_run_on} files",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return f"""### {feed.name}
{feed.description}

| | |
|---|---|
{table}

**Trigger** with an empty form takes {everything}. **Backfill**, `airflow dags test` and a trigger with a past date take
the files of the interval of the schedule that begins at the date, in UTC: {feed.start} means {dated}.
What is done is done again with `force` alone. A backfill leaves out days that have runs already, unless it reprocesses.

Clear `process_files` to settle again or to try failed files again; clear `claim_files` of a finished run to do its
files again.
"""
