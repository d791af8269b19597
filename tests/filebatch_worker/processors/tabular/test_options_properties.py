"""Any table, written in any form that the options allow, comes back value for value."""

import io
import tempfile
import zipfile
from pathlib import Path

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filebatch_worker.processor import Source, load_processor

CALM = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TEXT = st.none() | st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\0"), max_size=8)
NUMBER = st.none() | st.integers(-(10**9), 10**9).map(lambda cents: cents / 100)
ROWS = st.lists(st.tuples(st.integers(0, 10**6), NUMBER, TEXT), min_size=1, max_size=8)
SEPARATORS = {".": ("", ",", " ", "'"), ",": ("", ".", " ", "'")}


def written(value, thousands, decimal):
    """Return a number as its supplier writes it."""
    whole, _, part = f"{abs(value):,.2f}".partition(".")
    return "-" * (value < 0) + whole.replace(",", thousands) + decimal + part


def quoted(value, quote, escape):
    return (
        quote + value.replace(escape, escape * 2 if escape != quote else escape).replace(quote, escape + quote) + quote
    )


def rows_of(processed):
    with duckdb.connect() as connection:
        found = [output for output in processed.outputs if output.name.endswith("data.parquet")]
        return [connection.from_parquet(str(output.path)).fetchall() for output in found]


@CALM
@given(
    tables=st.lists(ROWS, min_size=1, max_size=3),
    decimal=st.sampled_from(".,"),
    separator=st.integers(0, 3),
    quote=st.sampled_from("\"'"),
    escape=st.sampled_from(["double", "backslash"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    null_values=st.sampled_from([[], ["-"], ["n/a", "?"]]),
    quoted_empty=st.sampled_from(["null", "text"]),
    short_rows=st.booleans(),
    every=st.booleans(),
)
def test_a_table_comes_back_in_any_form_that_the_options_allow(  # noqa: PLR0913 - one argument for each option
    *, tables, decimal, separator, quote, escape, newline, null_values, quoted_empty, short_rows, every
):
    thousands = SEPARATORS[decimal][separator]
    mark = quote if escape == "double" else "\\"
    empty = None if quoted_empty == "null" else ""

    def line(number, amount, note):
        nothing = null_values[0] if null_values else ""
        cells = [str(number), nothing if amount is None else quoted(written(amount, thousands, decimal), quote, mark)]
        if note is None and short_rows:
            return "|".join(cells)
        return "|".join([*cells, nothing if note is None else quoted(note, quote, mark)])

    def kept(note):
        return None if note is None or note in null_values else note or empty

    tables = tables if every else tables[:1]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for at, rows in enumerate(tables):
            text = newline.join(["number|amount|note", *(line(*row) for row in rows), ""])
            archive.writestr(f"orders-{at}.csv", text)
        archive.writestr("orders.txt", "none of them")
    options = {
        "columns": {"number": "integer", "amount": "decimal(14,2)", "note": "string"},
        "header": True,
        "delimiter": "|",
        "quote": quote,
        "escape": escape,
        "decimal_separator": decimal,
        "quoted_empty": quoted_empty,
        "short_rows": "fill" if short_rows else "error",
        "member": "orders-*.csv",
        "members": "all" if every else "one",
        **({"null_values": null_values} if null_values else {}),
        **({"thousands_separator": thousands} if thousands else {}),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fetched"
        path.write_bytes(packed.getvalue())
        processed = load_processor("tabular")(Source(path, "t.zip", path.stat().st_size), Path(folder) / "out", options)
        found = rows_of(processed)
    assert [
        [(number, None if amount is None else float(amount), note) for number, amount, note in rows] for rows in found
    ] == [[(number, amount, kept(note)) for number, amount, note in rows] for rows in tables]
