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
    assert (found.new_files, found.results) == ("filebatch-test-new-files", "filebatch-test-results")
    assert (found.queue("orders"), found.job_definition("orders")) == (
        "https://sqs.eu-west-1.amazonaws.com/123456789012/filebatch-test-orders",
        "filebatch-test-orders",
    )


@pytest.mark.parametrize("name", DOCUMENT)
def test_a_missing_setting_is_named(name):
    with pytest.raises(ConfigurationError, match=f"missing \\['{name}'\\]"):
        settings.parse({key: value for key, value in DOCUMENT.items() if key != name})


@pytest.mark.parametrize("bucket", ["new_files", "results"])
def test_a_missing_bucket_is_named(bucket):
    buckets = {key: value for key, value in DOCUMENT["buckets"].items() if key != bucket}
    with pytest.raises(ConfigurationError, match=bucket):
        settings.parse({**DOCUMENT, "buckets": buckets})


def test_an_unknown_setting_is_named():
    with pytest.raises(ConfigurationError, match=r"unknown \['colour'\]"):
        settings.parse({**DOCUMENT, "colour": "red"})


@pytest.mark.parametrize("wrong", [[], "Team=files", 7, None])
def test_dimensions_that_are_no_mapping_are_named(wrong):
    with pytest.raises(ConfigurationError, match="dimensions"):
        settings.parse({**DOCUMENT, "dimensions": wrong})


@given(JSON)
def test_anything_else_is_a_configuration_error(document):
    with pytest.raises(ConfigurationError, match="Variable 'filebatch'"):
        settings.parse(document)


def test_what_the_local_aws_provisions_is_what_airflow_reads(server):
    assert settings.parse(server.settings).environment == "filebatch-local"
