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
    from airflow.utils.session import create_session
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is not None:
        # A statement that fails must not end Airflow's own transaction, and the session's hooks refuse any commit.
        with session.connection().begin_nested():
            _write_on(session.connection(), dag_run)
        return
    with create_session() as own:  # `airflow dags test` has let go of it
        _write_on(own.connection(), dag_run)


def _write_on(connection: Any, dag_run: Any) -> None:
    from airflow.models.dagrun import DagRunNote
    from airflow.models.xcom import XComModel
    from sqlalchemy import insert, select, update

    ours = (XComModel.dag_run_id == dag_run.id, XComModel.task_id == TASK, XComModel.key == XCOM)
    outcome = connection.execute(select(XComModel.value).where(*ours)).first()
    if outcome is None:
        return
    of_run = DagRunNote.dag_run_id == dag_run.id
    before = connection.execute(select(DagRunNote.content).where(of_run)).first()
    content = merged(before.content if before else None, str(XComModel.deserialize_value(outcome)))
    if before:
        connection.execute(update(DagRunNote).where(of_run).values(content=content))
    else:
        connection.execute(insert(DagRunNote).values(dag_run_id=dag_run.id, content=content))
