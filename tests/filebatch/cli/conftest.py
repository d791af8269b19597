"""A shell of one test's environment, with the feed `orders`."""

import json
from dataclasses import asdict

import pytest
from click.testing import CliRunner

from aws import feed_of
from filebatch.cli.commands import main
from filebatch.core import clock, file_moves
from filebatch.core.contract import Reason
from filebatch.core.file_moves import FileFailure
from filebatch_local.base import access

FEED = feed_of(pattern=r"(?P<date>\d{4}-\d{2}-\d{2})/[a-z]+\.csv", start="2026-01-01")
YAML = r"""
prefix: orders/
pattern: (?P<date>\d{4}-\d{2}-\d{2})/[a-z]+\.csv
start: 2026-01-01
"""
KEY = "orders/2026-01-02/a.csv"


class Shell:
    """A shell of one test's environment, with the feed `orders`."""

    def __init__(self, place, folder, monkeypatch):
        self.place, self.folder = place, folder
        (folder / "orders.yaml").write_text(YAML)
        variables = access.credentials(place.server.key) | {
            "AWS_ENDPOINT_URL": place.server.endpoint,
            "AIRFLOW_VAR_FILEBATCH": json.dumps(asdict(place.settings())),
            "FILEBATCH_AIRFLOW_URL": "http://127.0.0.1:9",  # nobody answers there
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    def run(self, *arguments):
        return CliRunner().invoke(main, ["--feeds", str(self.folder), *arguments])

    def json(self, *arguments):
        ended = self.run(*arguments, "--json")
        assert ended.exit_code == 0, ended.output
        return json.loads(ended.stdout)

    def put(self, key=KEY, at=None):
        """Put a file and write it to the ledger; return its row."""
        (row,) = self.place.arrive(self.place.put(key), feed=FEED)
        return row

    def claim(self, row):
        token = "0123456789abcdef-0001"
        self.place.ledger.move(file_moves.claim(row, token, "manual__1", 1, clock.now()))
        return token

    def fail(self, row, code="bug", retry=None):
        move = file_moves.fail(
            row, self.claim(row), "orders", FileFailure(Reason(code, "it broke")), retry=retry, now=clock.now()
        )
        self.place.ledger.move(move)


@pytest.fixture
def shell(place, tmp_path, monkeypatch):
    return Shell(place, tmp_path, monkeypatch)
