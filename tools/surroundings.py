"""Which environment a tool works on: that of a file, of the shell, or the local AWS that runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from filebatch.core.errors import ConfigurationError
from filebatch.feeds.settings import VARIABLE, Settings, parse
from filebatch_local.base.layout import Layout
from filebatch_local.serve.background import running
from filebatch_local.serve.shell import environment, take_over

IN_SHELL = f"AIRFLOW_VAR_{VARIABLE.upper()}"


class NoSettingsError(Exception):
    """Nobody says which environment is meant."""


def found_settings(file: Path | None, *, local: bool = True) -> Settings:
    """Return the settings; those of the local AWS bring its address and keys into this process.

    Raises:
        NoSettingsError: there are none, or what should be them isn't.
    """
    try:
        return parse(_document(file, local=local))
    except ConfigurationError as error:
        raise NoSettingsError(f"{file}: {error}" if file else str(error)) from error


def _document(file: Path | None, *, local: bool) -> Any:
    if file:
        return _json(str(file), _text(file))
    if written := os.environ.get(IN_SHELL):
        return _json(IN_SHELL, written)
    if not local:
        raise NoSettingsError(f"no settings: set {IN_SHELL} to what Terraform's output `settings` says")
    layout = Layout.here()
    aws = running(layout)
    if aws is None:
        raise NoSettingsError(f"no settings: give a file, set {IN_SHELL}, or start the local AWS with `make aws`")
    take_over(environment(layout, aws.endpoint, aws.settings, aws.key))
    return aws.settings


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NoSettingsError(f"{file}: expected a file of settings ({error})") from error


def _json(where: str, written: str) -> Any:
    try:
        return json.loads(written)
    except json.JSONDecodeError as error:
        raise NoSettingsError(f"{where}: expected the settings as JSON, found {written[:40]!r} ({error})") from error
