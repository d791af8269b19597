"""Which environment a tool works on: that of a file, of the shell, or the local AWS that runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from filebatch.feeds.settings import VARIABLE
from filebatch_local.base.layout import Layout
from filebatch_local.serve.background import running
from filebatch_local.serve.shell import environment, take_over

IN_SHELL = f"AIRFLOW_VAR_{VARIABLE.upper()}"


class NoSettingsError(Exception):
    """Nobody says which environment is meant."""


def found_settings(file: Path | None) -> Any:
    """Return the settings as a document; those of the local AWS bring its address and keys into this process.

    Raises:
        NoSettingsError: there are none.
    """
    if file:
        return json.loads(file.read_text(encoding="utf-8"))
    if IN_SHELL in os.environ:
        return json.loads(os.environ[IN_SHELL])
    layout = Layout.here()
    aws = running(layout)
    if aws is None:
        raise NoSettingsError(f"no settings: give a file, set {IN_SHELL}, or start the local AWS with `make aws`")
    take_over(environment(layout, aws.endpoint, aws.settings, aws.key))
    return aws.settings
