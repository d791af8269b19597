"""What is told of a file that is INVALID or FAILED, as values; test_what_is_told.py has real workers tell it."""

import json
from dataclasses import asdict

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

from filebatch.core import errors
from filebatch.core.contract import Reason
from filebatch_worker import processor, reasons
from filebatch_worker.calling import call
from filebatch_worker.processor import InvalidFile, Source, shape

SECRET = "Jane Roe"
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "not allowed"}}, "GetObject")


def invalid(error, **more):
    return reasons.of_invalid(error, **{"show_values": False, **more})


def failure(error, **more):
    return reasons.of_failure("bug", error, **{"show_values": False, **more}).message


def raised(error, tmp_path):
    """Return the error as the worker gets it from a processor that raises it."""

    def process(source, workdir, options):
        raise error

    with pytest.raises(type(error)) as caught:
        call(process, Source(tmp_path, "x", 1), tmp_path, {})
    return caught.value


class TestAnInvalidFile:
    """Its summary is told, or its places and shapes."""

    def test_the_summary_is_told_in_place_of_the_message(self):
        error = InvalidFile("bad-row", f"found {SECRET}", summary="found a name", line=3, found=SECRET)
        assert invalid(error) == Reason("bad-row", "found a name", {"line": 3})

    def test_without_a_summary_places_and_shapes_are_told(self):
        error = InvalidFile("bad-row", SECRET, line=3, bad_rows=2, found=SECRET, expected=SECRET)
        assert invalid(error) == Reason(
            "bad-row", "line 3, bad rows 2: found text of 8 characters", {"line": 3, "bad_rows": 2}
        )

    @pytest.mark.parametrize("where", [{"column": SECRET}, {"line": SECRET}, {"byte": 7.5}, {"id": 78051120}])
    def test_only_whole_numbers_that_are_places_are_shown(self, where):
        assert invalid(InvalidFile("bad-row", SECRET, **where)).where == {}

    @pytest.mark.parametrize("code", [SECRET, "", "x" * 41, "bad\nrow", "Bad", None, 7])
    def test_a_code_that_is_none_is_not_shown(self, code):
        assert invalid(InvalidFile(code, SECRET)).code == "invalid"

    def test_quarantine_is_told_all(self):
        error = InvalidFile("bad-row", f"found {SECRET}\x1b", summary="found a name", line=3, found=SECRET)
        assert reasons.whole(error) == Reason("bad-row", f"found {SECRET}\x1b", {"line": 3, "found": SECRET})

    def test_a_feed_may_have_all_shown_as_far_as_it_can_be_seen(self):
        error = InvalidFile("bad-row", f"found {SECRET}\x1b\ud800", summary="found a name", found=SECRET)
        assert invalid(error, show_values=True) == Reason("bad-row", f"found {SECRET}\\x1b\\ud800", {"found": SECRET})

    def test_what_is_shown_is_bounded_however_much_of_the_file_it_quotes(self):
        huge = SECRET * 100_000
        error = InvalidFile("bad-row", huge, column=huge, found=[huge], **{huge: 1, "line": 3})
        reason = invalid(error, show_values=True)
        assert len(json.dumps(asdict(reason))) < 10_000
        assert reason.where["column"] == "text of 800000 characters"
        assert reason.where["found"] == "a list of 1"
        assert reason.where["line"] == 3

    def test_of_many_values_the_first_are_shown(self):
        error = InvalidFile("bad-row", "x", **{f"value-{number}": number for number in range(100_000)})
        assert len(invalid(error, show_values=True).where) == reasons.MAX_VALUES

    def test_its_words_link_nowhere(self):
        found = invalid(InvalidFile("x", "", summary="see http://evil.example"))
        assert found.message == "see http[:]//evil[.]example"


class TestWhatElseIsRaised:
    """Its text is told where it is AWS's or ours; else its type and place."""

    @pytest.mark.parametrize(
        "error",
        [
            DENIED,
            EndpointConnectionError(endpoint_url="nowhere"),
            errors.ContractError("expected contract 1"),
            processor.ConfigurationError('options: expected "text"'),
        ],
    )
    def test_a_text_of_awss_or_ours_is_told(self, error):
        assert failure(error) == f"{type(error).__name__}: {error}"

    def test_an_upload_that_failed_is_told_by_what_s3_said(self):
        error = S3UploadFailedError(f"Failed to upload {SECRET}.csv")
        error.__context__ = DENIED
        assert failure(error) == f"ClientError: {DENIED}"

    @pytest.mark.parametrize(
        "error",
        [
            ValueError(SECRET),
            ParamValidationError(report=SECRET),
            S3UploadFailedError(SECRET),
            OSError(28, "x", SECRET),
            type("Broken", (Exception,), {"__str__": lambda self: SECRET})(),
        ],
    )
    def test_no_other_text_is_told(self, error, tmp_path):
        assert SECRET not in failure(error)
        assert SECRET not in failure(raised(error, tmp_path))

    @pytest.mark.parametrize("error", [DENIED, errors.ContractError(SECRET), processor.ConfigurationError(SECRET)])
    def test_from_a_processor_no_text_is_told_whatever_its_type(self, error, tmp_path):
        found = failure(raised(error, tmp_path))
        assert SECRET not in found
        assert "not allowed" not in found
        assert f"{type(error).__name__} at line" in found

    def test_the_systems_own_words_are_told(self):
        assert failure(OSError(28, "x", SECRET)).startswith("OSError: No space left on device")

    def test_the_place_is_the_last_line_of_the_processors_own_package(self, tmp_path):
        def process(source, workdir, options):
            (tmp_path / SECRET / "x").read_text()

        with pytest.raises(FileNotFoundError) as caught:
            call(process, Source(tmp_path, "x", 1), tmp_path, {})
        assert "(process); its text may quote the file" in failure(caught.value)

    def test_what_led_to_a_processors_error_quotes_as_it_does(self, tmp_path):
        error = errors.ContractError(SECRET)
        error.__cause__ = processor.ConfigurationError(f"of {SECRET}")
        assert SECRET not in reasons.trace(raised(error, tmp_path), show_values=False)
        assert SECRET in reasons.trace(raised(error, tmp_path), show_values=True)

    def test_an_error_that_has_no_text_to_give_is_told_all_the_same(self):
        class WorseError(Exception):
            def __str__(self):
                raise ValueError(SECRET)

        for show_values in (True, False):
            assert failure(WorseError(), show_values=show_values) == "WorseError"
            assert SECRET not in reasons.trace(WorseError(), show_values=show_values)

    def test_causes_in_a_circle_end(self):
        error, other = ValueError(), KeyError()
        error.__cause__, other.__cause__ = other, error
        assert reasons.trace(error, show_values=False).count("which led to") == 1


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (None, "nothing"),
        ("", "nothing"),
        ("a", "text of 1 character"),
        ("ab", "text of 2 characters"),
        (True, "true or false"),
        (78051120, "a number"),
        (1.5, "a number"),
        (["a"], "a list of 1"),
        ({"a": 1}, "a value"),
        (b"a", "a value"),
    ],
)
def test_a_shape_says_what_a_value_looks_like(value, seen):
    assert shape(value) == seen
