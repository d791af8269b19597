"""What a program writes into a document stands between its marks; the rest stays."""

import pytest

import marked_part


def test_what_stands_between_the_marks_is_replaced(tmp_path):
    file = tmp_path / "page.md"
    file.write_text("before\n<!-- table -->\nold\n<!-- /table -->\nbehind\n")
    marked_part.write(file, "table", "new")
    assert file.read_text() == "before\n<!-- table -->\nnew\n<!-- /table -->\nbehind\n"


@pytest.mark.parametrize("text", ["nothing", "<!-- table -->\nno end", "<!-- /table -->\n<!-- table -->"])
def test_a_document_that_lacks_a_mark_is_named_and_left_alone(tmp_path, text):
    file = tmp_path / "page.md"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"page\.md: expected <!-- table --> and then <!-- /table -->"):
        marked_part.write(file, "table", "new")
    assert file.read_text() == text
