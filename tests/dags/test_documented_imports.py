"""Import paths that the feed reference promises to DAGs of other people."""

import importlib
import re

import pytest

from aws import ROOT

DOCUMENT = (ROOT / "docs" / "feeds.md").read_text(encoding="utf-8").partition("## In DAGs of your own")[2]
PATHS = re.findall(r"`(filebatch\.[\w.]+)\.(\w+)\(", DOCUMENT)


def test_some_are_promised():
    assert {name for _, name in PATHS} == {"PublishMetricsOperator", "NotifyOperator"}


@pytest.mark.parametrize(("module", "name"), PATHS)
def test_what_is_promised_is_there(module, name):
    assert getattr(importlib.import_module(module), name).__module__ == module
