"""The note on a run: the words of people first, and the files' counts once, however often the run ends."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.models.dagrun import DagRun, DagRunNote
from airflow.models.xcom import XComModel
from airflow.utils.sqlalchemy import prohibit_commit
from sqlalchemy import create_engine, insert, text
from sqlalchemy.orm import Session

from aws import NOW
from filebatch import run_notes
from filebatch.run_notes import MAX_NOTE, merged
from filebatch_local.base.layout import Layout


@pytest.mark.parametrize(
    ("note", "told"),
    [
        (None, "Files: 1 failed of 1 file"),
        ("", "Files: 1 failed of 1 file"),
        ("retry: sent again", "retry: sent again\nFiles: 1 failed of 1 file"),
        ("retry: sent again\nFiles: 9 succeeded of 9 files", "retry: sent again\nFiles: 1 failed of 1 file"),
        ("Files: old\nwritten by hand since", "written by hand since\nFiles: 1 failed of 1 file"),
    ],
)
def test_counts_follow_what_people_wrote(note, told):
    assert merged(note, "1 failed of 1 file") == told


def test_a_note_is_as_long_as_airflow_takes_and_keeps_the_counts():
    found = merged("x" * MAX_NOTE, "1 failed of 1 file")
    assert len(found) == MAX_NOTE
    assert found.endswith("\nFiles: 1 failed of 1 file")


def test_a_run_of_another_dag_is_left_alone(monkeypatch):
    monkeypatch.setattr(run_notes, "_write", lambda _: pytest.fail("it was written to"))
    for dag in (None, SimpleNamespace(tags=None), SimpleNamespace(tags=["others"])):
        run_notes.on_dag_run_success(SimpleNamespace(dag=dag))


def test_a_database_that_refuses_the_note_ends_no_run_otherwise(monkeypatch, caplog):
    def refuse(_):
        raise RuntimeError("locked")

    monkeypatch.setattr(run_notes, "_write", refuse)
    run_notes.on_dag_run_failed(SimpleNamespace(dag=SimpleNamespace(tags=["filebatch"]), run_id="r", dag_id="orders"))
    assert "the note of run r of orders could not be written" in caplog.text


@pytest.fixture
def session(tmp_path):
    """A session of Airflow's database as set-up makes it, with a run of a feed that had files."""
    shutil.copy(Layout.here().airflow_home(Path(sys.prefix)) / "pristine.db", tmp_path / "airflow.db")
    with Session(create_engine(f"sqlite:///{tmp_path}/airflow.db")) as found:
        yield found


def ended_run(session, note=None):
    """A run whose `process_files` left its words, as the scheduler has it when it ends."""
    run = DagRun(dag_id="orders", run_id="manual__1", run_type="manual", state="running", run_after=NOW)
    run.note = note
    session.add(run)
    session.flush()
    words = {"key": run_notes.XCOM, "task_id": run_notes.TASK, "value": "1 failed of 1 file"}
    session.execute(
        insert(XComModel).values(dag_run_id=run.id, dag_id="orders", run_id="manual__1", map_index=-1, **words)
    )
    session.commit()
    run.dag = SimpleNamespace(tags=["filebatch"])
    return run


def test_the_note_is_written_in_airflows_own_transaction_which_it_leaves_to_airflow(session):
    run = ended_run(session, "retry: sent again")
    run.state = "failed"
    with prohibit_commit(session) as guard:
        run_notes.on_dag_run_failed(run)
        guard.commit()
    session.expire_all()
    assert (run.note, str(run.state)) == ("retry: sent again\nFiles: 1 failed of 1 file", "failed")


def test_a_run_without_a_note_gets_one_and_one_that_ends_again_no_second(session):
    run = ended_run(session)
    for _ in range(2):
        run_notes.on_dag_run_success(run)
    session.commit()
    session.expire_all()
    assert run.note == "Files: 1 failed of 1 file"


def test_a_statement_that_fails_leaves_airflows_transaction_as_it_was(session, monkeypatch, caplog):
    run = ended_run(session)
    run.state = "success"

    def refused(connection, dag_run):
        connection.execute(insert(DagRunNote).values(dag_run_id=dag_run.id, content="half of it"))
        connection.execute(text("INSERT INTO dag_run_note (dag_run_id, content) VALUES (NULL, NULL)"))

    monkeypatch.setattr(run_notes, "_write_on", refused)
    run_notes.on_dag_run_success(run)
    session.commit()
    session.expire_all()
    assert (run.note, str(run.state)) == (None, "success")
    assert "could not be written" in caplog.text
