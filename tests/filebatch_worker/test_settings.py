import pytest

from filebatch.core.errors import ConfigurationError
from filebatch_worker import settings

ENVIRONMENT = {
    "FILEBATCH_FEED": "orders",
    "FILEBATCH_LEDGER": "ledger",
    "FILEBATCH_RESULTS_BUCKET": "results",
    "FILEBATCH_NAMESPACE": "filebatch",
    "FILEBATCH_ROUND": "manifests/orders/0123456789abcdef-0001/round-1.units",
    "FILEBATCH_MEMORY_MIB": "2048",
    "FILEBATCH_VCPU": "0.5",
    "AWS_BATCH_JOB_ID": "job:3",
    "AWS_BATCH_JOB_ARRAY_INDEX": "3",
    "AWS_BATCH_JOB_ATTEMPT": "2",
}


def test_a_child_knows_its_parent_its_unit_and_its_attempt():
    told = settings.read(ENVIRONMENT)
    assert (told.job_id, told.parent_id, told.index, told.attempt, told.memory) == ("job:3", "job", 3, 2, 2048)
    assert (told.feed, told.dimensions, told.vcpu) == ("orders", {}, 0.5)
    assert (told.ledger, told.results_bucket, told.namespace) == ("ledger", "results", "filebatch")


def test_a_plain_job_is_its_own_parent_and_does_the_only_unit():
    plain = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("AWS_BATCH_JOB_A")}
    told = settings.read({**plain, "AWS_BATCH_JOB_ID": "job"})
    assert (told.job_id, told.parent_id, told.index, told.attempt) == ("job", "job", 0, 1)


def test_every_attempt_has_a_path_element_of_its_own():
    names = {
        settings.read({**ENVIRONMENT, "AWS_BATCH_JOB_ID": job, "AWS_BATCH_JOB_ATTEMPT": attempt}).attempt_name
        for job in ("job", "job:1", "job:11")
        for attempt in ("1", "2")
    }
    assert len(names) == 6
    assert not any("/" in name or ":" in name for name in names)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in ENVIRONMENT
        if name not in ("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ATTEMPT", "FILEBATCH_VCPU")
    ],
)
def test_a_variable_that_is_missing_is_named(name):
    with pytest.raises(ConfigurationError, match=f"^environment: expected {name}$"):
        settings.read({key: value for key, value in ENVIRONMENT.items() if key != name})


@pytest.mark.parametrize("name", ["FILEBATCH_MEMORY_MIB", "AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ATTEMPT"])
def test_a_variable_that_is_no_number_is_told(name):
    with pytest.raises(ConfigurationError, match=r"expected a whole number; .*'many'"):
        settings.read({**ENVIRONMENT, name: "many"})


@pytest.mark.parametrize(
    ("environment", "bounds"),
    [
        ({}, (None, None)),
        ({"FILEBATCH_MEMORY_MIB": "2048"}, (2048, None)),
        ({"FILEBATCH_MEMORY_MIB": "512.5", "FILEBATCH_VCPU": "0.25"}, (512.5, 0.25)),
    ],
)
def test_bounds_are_read_without_the_other_variables(environment, bounds):
    found = settings.read_bounds(environment)
    assert (found.memory, found.vcpu) == bounds


@pytest.mark.parametrize("name", ["FILEBATCH_MEMORY_MIB", "FILEBATCH_VCPU"])
def test_a_bound_that_is_no_number_is_named(name):
    with pytest.raises(ConfigurationError, match=name):
        settings.read_bounds({name: "plenty"})
