from datetime import timedelta

import pytest
from hypothesis import given

from filebatch.core.errors import ConfigurationError
from filebatch.feeds import settings
from golden import golden
from values import JSON

DOCUMENT = golden("settings")


def test_the_variable_is_read_with_defaults():
    found = settings.parse(DOCUMENT)
    assert (found.namespace, found.heartbeat_timeout) == ("filebatch/filebatch-test", timedelta(minutes=15))
    assert (found.new_files, found.results("orders")) == ("filebatch-test-new-files", "filebatch-test-results")
    assert (found.queue("orders"), found.job_definition("orders")) == (
        "https://sqs.eu-west-1.amazonaws.com/123456789012/filebatch-test-orders",
        "filebatch-test-orders",
    )


@pytest.mark.parametrize("name", DOCUMENT)
def test_a_missing_setting_is_named(name):
    with pytest.raises(ConfigurationError, match=f"Variable 'filebatch': {name}: expected a value, found nothing"):
        settings.parse({key: value for key, value in DOCUMENT.items() if key != name})


@pytest.mark.parametrize(
    ("name", "part"),
    [("buckets", "new_files"), ("buckets", "results"), ("topics", "stakeholders"), ("topics", "developers")],
)
def test_a_missing_bucket_or_topic_is_named_before_anything_is_done(name, part):
    parts = {key: value for key, value in DOCUMENT[name].items() if key != part}
    with pytest.raises(ConfigurationError, match=rf"{name}\.{part}: expected a value, found nothing"):
        settings.parse({**DOCUMENT, name: parts})


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("dimensions", []),
        ("dimensions", "Team=files"),
        ("dimensions", {"Team": 7}),
        ("ledger", None),
        ("region", ""),
        ("heartbeat_seconds", "900"),
        ("heartbeat_seconds", 0),
        ("heartbeat_seconds", True),
        ("buckets", ["new_files", "results"]),
    ],
)
def test_a_setting_that_is_no_such_value_is_named(field, wrong):
    with pytest.raises(ConfigurationError, match=f"Variable 'filebatch': {field}"):
        settings.parse({**DOCUMENT, field: wrong})


def test_all_that_is_wrong_is_told_at_once_and_who_writes_the_right_one():
    wrong = {**DOCUMENT, "colour": "red", "topics": {"stakeholder": "arn:x", "developers": ""}, "ledger": 7}
    with pytest.raises(ConfigurationError) as error:
        settings.parse(wrong)
    *told, advice = str(error.value).splitlines()
    assert sorted(line.removeprefix("Variable 'filebatch': ").partition(":")[0] for line in told) == [
        "colour",
        "ledger",
        "topics.developers",
        "topics.stakeholder",
        "topics.stakeholders",
    ]
    assert "did you mean 'stakeholders'?" in str(error.value)
    assert advice.startswith("Terraform's output `settings`")


@given(JSON)
def test_anything_else_is_a_configuration_error(document):
    with pytest.raises(ConfigurationError, match="Variable 'filebatch'"):
        settings.parse(document)


def test_what_the_local_aws_provisions_is_what_airflow_reads(server):
    assert settings.parse(server.settings).environment == "filebatch-local"
