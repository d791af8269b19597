"""What a feed says about the program that processes its files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from filebatch.core import command_options
from filebatch.core.options import OptionsError
from filebatch_worker.processor import ConfigurationError

# Where an image says nothing; Docker's own.
USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class CommandOptions:
    """The program and its bounds for one file: seconds, and bytes of all that it writes."""

    command: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeout: int = 3600
    max_output_bytes: int = 10 * 1024**3


def parse_options(options: Mapping[str, Any]) -> CommandOptions:
    """Return the options as written in a feed's YAML. Raises ConfigurationError, naming all that is wrong."""
    try:
        return CommandOptions(**command_options.parse(options))
    except OptionsError as error:
        raise ConfigurationError("\n".join(f"command: option {problem}" for problem in error.problems)) from error


def image_path() -> str:
    """Return where programs are looked for: the image's own PATH."""
    return os.environ.get("PATH") or USUAL_PATH


def check_program(command: tuple[str, ...]) -> None:
    """Refuse a program that isn't there or can't be run. Raises ConfigurationError."""
    if shutil.which(command[0], path=image_path()) is None:
        raise ConfigurationError(f"command: there is no program {command[0]!r} in the image that may be run")


# Feeds are checked by the one, containers work by the other.
assert set(command_options.PARSERS) == {each.name for each in fields(CommandOptions)}, (  # noqa: S101
    "command_options.PARSERS and CommandOptions have to name the same options"
)
