import pytest

from filebatch.core import errors


@pytest.mark.parametrize(
    ("error", "parent"),
    [
        (errors.FeedError("a.yaml", errors.Problem("prefix", "text", "1")), errors.ConfigurationError),
        (errors.ConfigurationError(), errors.FilebatchError),
        (errors.ContractError(), errors.FilebatchError),
        (errors.SelectionError("keys", "a list", 1), errors.FilebatchError),
        (errors.LostClaim(), errors.FilebatchError),
    ],
)
def test_every_error_is_a_filebatch_error(error, parent):
    assert isinstance(error, parent)
    assert isinstance(error, errors.FilebatchError)


def test_a_feed_error_has_a_line_for_each_problem_that_names_file_field_expected_and_found():
    problems = [errors.Problem("packing.files", "a number", "'x'"), errors.Problem("", "a mapping", "list")]
    assert str(errors.FeedError("a.yaml", *problems)) == (
        "a.yaml: packing.files: expected a number, found 'x'\na.yaml: expected a mapping, found list"
    )


def test_a_selection_error_names_the_param():
    error = errors.SelectionError("keys", "a list of object keys", 3)
    assert (error.field, str(error)) == ("keys", "param 'keys': expected a list of object keys, found 3")
