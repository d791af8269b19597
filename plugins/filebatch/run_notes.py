"""A note on each run of a feed's DAG that had files: how many became what, as Airflow's list of runs shows it.

A task can't write its run's note, as it has no access to Airflow's database. So `process_files` leaves the words as an
XCom, and a listener puts them down when the run ends, in the transaction in which Airflow ends it. It is the words of
people that a note begins with, such as why they asked for the run; a run that ends again has its counts replaced.
https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/listeners.html
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.listeners import hookimpl

XCOM = "outcome"  # of TASK: the words
TASK = "process_files"
TAG = "filebatch"  # of feeds' DAGs
OURS = "Files: "
MAX_NOTE = 1000  # characters that Airflow takes

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_success(dag_run: Any) -> None:
    """Put down what became of a run's files."""
    put_down(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: Any) -> None:
    """Put down what became of a run's files."""
    put_down(dag_run)


def put_down(dag_run: Any) -> None:
    """Write the note of a feed's run; what goes wrong with that is logged and changes nothing of the run."""
    if TAG not in (getattr(dag_run.dag, "tags", None) or ()):
        return
    try:
        _write(dag_run)
    except Exception:
        log.exception("the note of run %s of %s could not be written", dag_run.run_id, dag_run.dag_id)


def merged(note: str | None, outcome: str) -> str:
    """Return a note with the outcome as its last line, in the place of an earlier one."""
    kept = [line for line in (note or "").splitlines() if not line.startswith(OURS)]
    ours = f"{OURS}{outcome}"[:MAX_NOTE]
    people = "\n".join(kept)[: MAX_NOTE - len(ours) - 1]
    return f"{people}\n{ours}" if people else ours


def _write(dag_run: Any) -> None:
    from airflow.models.dagrun import DagRunNote
    from airflow.models.xcom import XComModel
    from sqlalchemy import insert, select, update
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None:
        return
    connection = session.connection()
    # A statement that fails must not end Airflow's own transaction, and the session's hooks refuse any commit.
    with connection.begin_nested():
        asked = XComModel.get_many(run_id=dag_run.run_id, key=XCOM, task_ids=TASK, dag_ids=dag_run.dag_id, limit=1)
        found = session.scalars(asked).first()
        if found is None:
            return
        note = select(DagRunNote.content).where(DagRunNote.dag_run_id == dag_run.id)
        before = connection.execute(note).first()
        content = merged(before[0] if before else None, str(XComModel.deserialize_value(found)))
        if before:
            connection.execute(update(DagRunNote).where(DagRunNote.dag_run_id == dag_run.id).values(content=content))
        else:
            connection.execute(insert(DagRunNote).values(dag_run_id=dag_run.id, content=content))
