from hypothesis import given
from hypothesis import strategies as st

from filebatch.core import metrics
from filebatch.core.metrics import Measured
from filebatch.core.outcomes import FLUSH_FILES
from filebatch.core.records import SETTLED_STATES

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
MAX_VALUES = 150

FILES = st.builds(
    Measured,
    st.sampled_from(SETTLED_STATES),
    st.floats(0, 1e6),
    st.integers(0, 2**50),
    st.none() | st.integers(0, 2**50),
)
SOME = st.lists(FILES, max_size=FLUSH_FILES)


def total(data, name):
    return sum(
        value * count
        for datum in data
        if datum["MetricName"] == name
        for value, count in zip(datum["Values"], datum["Counts"], strict=True)
    )


@given(SOME)
def test_each_file_is_counted_once_under_its_state(files):
    data = metrics.data("orders", files)
    for state, name in metrics.NAMES.items():
        assert total(data, name) == sum(file.state == state for file in files)


@given(SOME)
def test_bytes_and_rows_add_up(files):
    data = metrics.data("orders", files)
    assert total(data, "ProcessedBytes") == sum(float(file.size) for file in files)
    assert total(data, "ProcessedRows") == sum(float(file.rows or 0) for file in files)
    durations = [datum for datum in data if datum["MetricName"] == "ProcessingDuration"]
    assert sum(sum(datum["Counts"]) for datum in durations) == len(files)


@given(SOME)
def test_what_is_told_at_once_fits_one_request(files):
    data = metrics.data("orders", files)
    assert len(data) <= 6
    for datum in data:
        assert 1 <= len(datum["Values"]) == len(datum["Counts"]) <= MAX_VALUES
        assert datum["Dimensions"] == [{"Name": "Feed", "Value": "orders"}]
        assert datum["Unit"] in ("Count", "Seconds", "Bytes")


@given(SOME, st.dictionaries(st.sampled_from(["Environment", "Team"]), st.sampled_from(["prod", "files"])))
def test_further_dimensions_are_told_beside_what_alarms_watch(files, further):
    data = metrics.data("orders", files)
    told = metrics.also(data, further)
    assert told[: len(data)] == data
    twins = told[len(data) :]
    assert len(twins) == (len(data) if further else 0)
    for datum, twin in zip(data, twins, strict=False):
        assert twin["Dimensions"] == [
            {"Name": "Feed", "Value": "orders"},
            *({"Name": name, "Value": further[name]} for name in sorted(further)),
        ]
        assert {**twin, "Dimensions": datum["Dimensions"]} == datum


def test_no_files_are_no_metrics():
    assert metrics.data("orders", []) == []


def test_every_settled_state_has_its_metric():
    assert metrics.NAMES == {
        "SUCCEEDED": "ProcessingSucceeded",
        "INVALID": "ProcessingInvalid",
        "FAILED": "ProcessingFailed",
    }
