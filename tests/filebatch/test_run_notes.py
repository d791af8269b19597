"""The note on a run: the words of people first, and the files' counts once, however often the run ends."""

from types import SimpleNamespace

import pytest

from filebatch import run_notes
from filebatch.run_notes import MAX_NOTE, merged


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
