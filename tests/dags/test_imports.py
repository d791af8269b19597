"""What loading the plugin and parsing the DAGs import: each process of Airflow pays for it, every time."""

import json
import subprocess
import sys

import pytest

from aws import ROOT

pytestmark = pytest.mark.airflow

# Beside what Airflow imports for the stock operators alone; its own modules come with what of it a DAG is made of.
OTHERS = {"airflow", "croniter", "difflib", "filebatch", "filebatch_plugin", "re2", "sqlalchemy"}
# Of ours: what a feed and its DAG are. What their tasks and triggers do is imported where it is done.
OURS = {"core", "feeds", "operators", "sensors", "triggers", "web", "runs"}
OURS_ALONE = {"runs": {"pages"}, "web": {"plugin_parts"}, "triggers": {"arrivals", "kept", "pause"}}
NOT_OF_CORE = {"ledger", "requests", "moves", "conditions", "file_moves", "run_moves", "feed_moves", "metrics"}

PARSE = """
import json, sys
from pathlib import Path
import airflow.plugins_manager
from airflow.sdk import DAG
from airflow.providers.amazon.aws.operators.batch import BatchOperator
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
import filebatch_plugin
filebatch_plugin.FilebatchPlugin()
from filebatch.dag_builder import feed_dags
assert feed_dags(Path(sys.argv[2]))
print(json.dumps(sorted(set(sys.modules) - before)), file=sys.__stdout__)
"""


@pytest.fixture(scope="module")
def imported():
    asked = [sys.executable, "-c", PARSE, str(ROOT / "plugins"), str(ROOT / "dags" / "feeds")]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    return [name.split(".") for name in json.loads(done.stdout.splitlines()[-1])]


def test_nothing_is_imported_that_a_dag_is_not_made_of(imported):
    assert {name[0] for name in imported} <= OTHERS
    assert not [name for name in imported if name[:2] == ["airflow", "api_fastapi"] and name[2:3] == ["app"]]


def test_of_ours_no_more_is_imported_than_a_feed_and_its_dag(imported):
    ours = {(name[1], name[2]) for name in imported if name[0] == "filebatch" and len(name) > 2}
    assert {folder for folder, _ in ours} <= OURS
    for folder, modules in OURS_ALONE.items():
        assert {module for each, module in ours if each == folder} <= modules
    assert not {module for folder, module in ours if folder == "core"} & NOT_OF_CORE
