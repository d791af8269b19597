"""A file of which a reason quotes hundreds of kilobytes ends INVALID, and holds up nobody."""

import json

import pytest

from e2e.steps import a_run
from e2e.system import System
from filebatch.core.contract import MAX_MESSAGE
from filebatch.feeds.feed import load_feed

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("inside")]
FEED = "prefix: objects/\nstart: 2026-01-01\nshow_values: true\n"
KEY = "k" * 420_000


def test_an_object_with_a_huge_key_twice_is_invalid_with_a_bounded_reason_and_the_next_file_is_done(
    here: System,
) -> None:
    feed = here.folder / "dags" / "feeds" / "objects.yaml"
    feed.write_text(FEED)
    here.aws.provision()
    here.put("objects/a.json", f'{{"{KEY}": 1, "{KEY}": 2}}')
    here.put("objects/b.csv", "id\n1\n")

    a_run(here, load_feed(feed)).all()

    assert here.states("objects/") == {"objects/a.json": "INVALID", "objects/b.csv": "SUCCEEDED"}
    file = here.files()["objects/a.json"]
    assert file.reason is not None
    assert file.reason.code == "duplicate-key"
    assert len(file.reason.message) <= MAX_MESSAGE
    committed = here.result(file)
    assert len(json.dumps(committed.to_json())) < 20_000
    assert committed.quarantine is not None
    kept = here.s3.get_object(Bucket=here.results, Key=committed.quarantine.replace("/file", "/_reason.json"))
    assert KEY in json.loads(kept["Body"].read())["reason"]["where"]["column"]
