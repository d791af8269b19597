"""Addresses of the Files page, wherever Airflow is served."""

import pytest

from filebatch.operators.links import ContainerLogLink, FilesLink, base_url
from filebatch.runs import pages

RUN = "manual__2026-01-02T03:04:05+00:00"


class Key:
    dag_id, run_id = "orders", RUN


@pytest.mark.parametrize(
    ("base", "path"),
    [("", ""), ("https://airflow.example", ""), ("https://example.com/a/b/", "/a/b"), ("http://127.0.0.1:8080/", "")],
)
def test_a_tasks_button_leads_to_its_runs_files(base, path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base)
    page = f"{path}/dags/orders/runs/manual__2026-01-02T03%3A04%3A05%2B00%3A00/plugin/run-files"
    assert FilesLink().get_link(object(), ti_key=Key) == page
    assert pages.of_run(base_url(), "orders", RUN) == base.rstrip("/") + page.removeprefix(path)
    assert pages.of_feed(base_url(), "orders") == f"{base.rstrip('/')}/dags/orders/plugin/files"


def test_a_task_without_a_containers_log_has_no_link_to_one():
    assert ContainerLogLink().get_link(object(), ti_key=Key) == ""
