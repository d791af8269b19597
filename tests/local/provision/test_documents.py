"""The documents, filled in."""

import pytest

from filebatch_local.provision.documents import render


def test_a_documents_values_are_escaped(tmp_path):
    (tmp_path / "one.json").write_text('{"name": "${name}", "size": ${size}}')
    assert render(tmp_path, "one", name='a"b\\', size=3) == {"name": 'a"b\\', "size": 3}
    with pytest.raises(KeyError):
        render(tmp_path, "one", name="a")
