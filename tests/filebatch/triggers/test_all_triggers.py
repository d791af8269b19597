"""Every trigger: Airflow keeps its class path and arguments in its database, and makes it again from them."""

import importlib
import pkgutil

import pytest
from airflow.triggers.base import BaseTrigger

from aws import feed_of
from filebatch import triggers
from filebatch.triggers.arrivals import ArrivalsTrigger
from filebatch.triggers.pause import PauseTrigger
from filebatch.triggers.round_job import RoundJobTrigger

MADE = {
    "filebatch.triggers.arrivals.ArrivalsTrigger": ArrivalsTrigger.of(feed_of(), "aws_default"),
    "filebatch.triggers.pause.PauseTrigger": PauseTrigger(15, "2026-03-01T12:00:00.000Z"),
    "filebatch.triggers.round_job.RoundJobTrigger": RoundJobTrigger(
        "job", "orders", "0123456789abcdef-0001", "ledger", 900, None, "eu-west-1"
    ),
}
# What stands in Airflow's database while a task is deferred: another path or name would end it when Airflow is updated.
ARGUMENTS = {
    "filebatch.triggers.arrivals.ArrivalsTrigger": {
        *("feed", "prefix", "pattern", "date_format", "day_prefix", "start", "expected_by", "aws_conn_id"),
    },
    "filebatch.triggers.pause.PauseTrigger": {"seconds", "deadline"},
    "filebatch.triggers.round_job.RoundJobTrigger": {
        *("job_id", "feed", "claim", "ledger", "heartbeat_timeout", "aws_conn_id", "region"),
    },
}


def trigger_classes():
    modules = [
        importlib.import_module(f"{triggers.__name__}.{each.name}") for each in pkgutil.iter_modules(triggers.__path__)
    ]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    return {each for each in found if issubclass(each, BaseTrigger) and each.__module__.startswith("filebatch.")}


def test_these_are_all_and_their_paths_stay_as_they_are():
    assert {f"{each.__module__}.{each.__qualname__}" for each in trigger_classes()} == MADE.keys() == ARGUMENTS.keys()


@pytest.mark.parametrize("path", MADE)
def test_a_trigger_is_made_again_from_what_airflow_keeps(path):
    kept, arguments = MADE[path].serialize()
    assert (kept, arguments.keys()) == (path, ARGUMENTS[path])
    module, _, name = kept.rpartition(".")
    again = getattr(importlib.import_module(module), name)(**arguments)
    assert again.serialize() == (kept, arguments)
    assert all(value is None or isinstance(value, (str, int, float)) for value in arguments.values())
