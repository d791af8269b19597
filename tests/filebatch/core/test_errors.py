import pytest

from filebatch.core import errors


@pytest.mark.parametrize(
    ("error", "parent"),
    [
        (errors.FeedError("a.yaml", "prefix", "text", "1"), errors.ConfigurationError),
        (errors.ConfigurationError(), errors.FilebatchError),
        (errors.ContractError(), errors.FilebatchError),
        (errors.SelectionError("keys", "a list", 1), errors.FilebatchError),
        (errors.LostClaim(), errors.FilebatchError),
    ],
)
def test_every_error_is_a_filebatch_error(error, parent):
    assert isinstance(error, parent)
    assert isinstance(error, errors.FilebatchError)


def test_a_feed_error_names_file_field_expected_and_found():
    assert str(errors.FeedError("a.yaml", "packing.files", "a number", "'x'")) == (
        "a.yaml: packing.files: expected a number, found 'x'"
    )


def test_a_feed_error_of_the_whole_file_names_no_field():
    assert str(errors.FeedError("a.yaml", "", "a mapping", "list")) == "a.yaml: expected a mapping, found list"


def test_a_selection_error_names_the_param():
    error = errors.SelectionError("keys", "a list of object keys", 3)
    assert (error.field, str(error)) == ("keys", "param 'keys': expected a list of object keys, found 3")
