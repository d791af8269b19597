"""The one place from which a processor's code is entered, and how to tell what was raised there."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from filebatch.core.errors import FilebatchError
from filebatch_worker.processor import Processed, Processor, Source, shape


class ProcessorExitError(FilebatchError):
    """A processor called `sys.exit`."""


def call(process: Processor, source: Source, workdir: Path, options: Mapping[str, Any]) -> Processed:
    """Have a file processed. Raises ProcessorExitError for SystemExit, and whatever else the processor raises."""
    try:
        return process(source, workdir, options)
    except SystemExit as error:
        # Only the worker ends the worker: the unit's other files still have their turn.
        told = error.code if isinstance(error.code, int) else shape(error.code)
        raise ProcessorExitError(f"the processor ended the program with exit code {told}") from error


def is_processors(error: BaseException) -> bool:
    """Tell whether the processor raised it, or what it called, rather than the worker around it."""
    return bool(_frames_within(error))


def place(error: BaseException) -> str:
    """Return where it was raised, as ` at line 42 of acme.lines (count_lines)`; empty if it never was.

    Of a processor that is the last line of its own package, not of what that called.
    """
    frames = _frames_within(error) or list(traceback.walk_tb(error.__traceback__))
    own = [(frame, line) for frame, line in frames if _package(frame) == _package(frames[0][0])]
    if not own:
        return ""
    frame, line = own[-1]
    return f" at line {line} of {_module(frame)} ({frame.f_code.co_name})"


def _frames_within(error: BaseException) -> list[tuple[FrameType, int]]:
    """Return the frames of the traceback that `call` led to."""
    frames = list(traceback.walk_tb(error.__traceback__))
    entries = [at for at, (frame, _) in enumerate(frames) if frame.f_code is call.__code__]
    return frames[entries[-1] + 1 :] if entries else []


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "?"))


def _package(frame: FrameType) -> str:
    return _module(frame).partition(".")[0]
