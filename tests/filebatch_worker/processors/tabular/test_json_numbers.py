"""Which files of JSON hold numbers that the engine's parser would change."""

import pytest

from filebatch_worker.processors.tabular import json_numbers, text

LONG = "0.12345678901234567890123"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "t.json"


@pytest.mark.parametrize("piece", [1, 20, 64, 129, 1000])
@pytest.mark.parametrize("blanks", [0, 1, 63, 64, 65, 300])
@pytest.mark.parametrize("number", [LONG, "-" + LONG, "12345678901234567890.5", "1.5e-400", "1234567890123456e-7000"])
def test_a_number_is_found_wherever_the_file_is_cut_into_pieces(path, monkeypatch, number, blanks, piece):
    monkeypatch.setattr(json_numbers, "chunks", lambda path: text.chunks(path, piece))
    for before in ('{"a":', '{"b": 1, "a":', '{"a": [1,', '{"a": ['):
        path.write_text(before + " " * blanks + number)
        assert any(map(json_numbers._is_suspicious, json_numbers._overlapping(path)))


@pytest.mark.parametrize("digits", ["order 12345678901234567890", "12345678901234567890", "a:b 1e-0001"])
def test_digits_within_texts_need_no_copy(path, digits):
    path.write_text(f'{{"a": "{digits}"}}\n' * 1000)
    assert json_numbers.with_exact_numbers(path) == (path, "")


@pytest.mark.parametrize("nested", ["[1.10]", '{"b":[1,0.12345678901234567890123]}', '["x",1.50,-0.0]'])
def test_objects_and_arrays_in_a_column_of_text_are_stored_as_they_stand(run, nested):
    found = run(f'{{"v": 1.10}}\n{{"v": {nested}}}\n', "t.ndjson", columns={"v": "string"})
    assert found.column("v") == ["1.10", nested]


def test_an_array_that_is_no_value_of_its_column_is_told_as_it_stands(refuse):
    told = refuse('{"v": [0.12345678901234567890123]}', "t.ndjson", columns={"v": "integer"})
    assert told.where["found"] == "[0.12345678901234567890123]"
