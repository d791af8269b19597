"""One API server for the tests of the page."""

import pytest

from files_page import files_page


@pytest.fixture(scope="package")
def page(server, tmp_path_factory):
    with files_page(server, tmp_path_factory.mktemp("page")) as found:
        yield found
