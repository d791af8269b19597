"""What looks like nothing, in every way of writing it and under every type, found or declared."""

from collections.abc import Collection

import pytest

VALUES = {  # a value of each type as text, and the type that is found for it
    "integer": ("5", "integer"),
    "float": ("1.5", "float"),
    "decimal(10,2)": ("1.50", "float"),
    "decimal(38,0)": ("9" * 25, "decimal(38,0)"),
    "boolean": ("true", "boolean"),
    "date": ("2024-02-29", "date"),
    "date(%d.%m.%Y)": ("29.02.2024", "date"),
    "timestamp": ("2024-02-29 10:00:00", "timestamp"),
    "timestamp(%d.%m.%Y %H:%M)": ("29.02.2024 10:00", "string"),
    "timestamptz": ("2024-02-29 10:00:00Z", "timestamptz"),
    "string": ("x", "string"),
}
NOTHINGS = {  # as it is written, and what a column of texts keeps of it
    "": None,
    '""': "",
    " ": " ",
    '" "': " ",
    '"\t "': "\t ",
    "NULL": None,
    '"NULL"': None,
}
WORD = {"null_values": ["NULL"]}
UNTOLD = {text: kept for text, kept in NOTHINGS.items() if "NULL" not in text}


def table(value: str, nothings: Collection[str], rows: int) -> str:
    """Return a file with a column for each of `nothings`: rows of a value, and at the end one of nothing."""
    lines = [["id", *(f"c{at}" for at in range(len(nothings)))], *[["0", *[value] * len(nothings)]] * rows]
    return "".join(",".join(line) + "\n" for line in [*lines, ["1", *nothings]])


# A column of texts beside them would change how the engine reads: so each type has a file of its own.
@pytest.mark.parametrize("rows", [1, 5_500], ids=["few rows", "more rows than the sample"])
@pytest.mark.parametrize("type_", VALUES)
def test_a_type_that_is_found_takes_any_nothing(run, type_, rows):
    value, found = VALUES[type_]
    result = run(table(value, UNTOLD, rows))
    assert [*result.types.values()][1:] == [found] * len(UNTOLD)
    assert list(result.rows[-1][1:]) == list(UNTOLD.values() if found == "string" else [None] * len(UNTOLD))
    assert None not in result.rows[0]


@pytest.mark.parametrize("type_", VALUES)
def test_a_type_that_is_found_takes_a_word_for_nothing(run, type_):
    value, found = VALUES[type_]
    result = run(table(value, NOTHINGS, 1), **WORD)
    assert [*result.types.values()][1:] == [found] * len(NOTHINGS)
    assert list(result.rows[-1][1:]) == list(NOTHINGS.values() if found == "string" else [None] * len(NOTHINGS))


@pytest.mark.parametrize("type_", VALUES)
def test_a_declared_type_takes_any_nothing(run, type_):
    columns = {f"c{at}": type_ for at in range(len(NOTHINGS))}
    lines = [",".join(columns), ",".join([VALUES[type_][0]] * len(NOTHINGS)), ",".join(NOTHINGS)]
    result = run("\n".join(lines) + "\n", columns=columns, **WORD)
    assert list(result.rows[-1]) == list(NOTHINGS.values() if type_ == "string" else [None] * len(NOTHINGS))
    assert None not in result.rows[0]


@pytest.mark.parametrize("options", [{}, WORD], ids=["", "a word for no value"])
@pytest.mark.parametrize("type_", VALUES)
def test_nothing_in_a_required_column_is_a_missing_value_and_no_other_fault(refuse, type_, options):
    nothings = [text for text in NOTHINGS if options or "NULL" not in text]
    content = f"id,v\n0,{VALUES[type_][0]}\n" + "".join(f"{at},{text}\n" for at, text in enumerate(nothings, 1))
    error = refuse(content, required=["v"], **options)
    assert (error.code, error.where["line"], error.where["column"]) == ("missing-value", 3, "v")
    assert error.where["bad_rows"] == len(nothings)


@pytest.mark.parametrize("type_", VALUES)
def test_bad_rows_are_left_out_beside_any_nothing(run, type_):
    """The engine's own casts, left to it, took rows with nothing in them for bad ones and skipped them unseen."""
    result = run(table(VALUES[type_][0], UNTOLD, 3) + "7,7\n", max_bad_rows=1)
    assert (len(result.rows), len(result.rejects)) == (4, 1)
