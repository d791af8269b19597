"""The way of one file through a program of the image."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filebatch_worker.processor import InvalidFile, Output, Processed, Source, TransientError
from filebatch_worker.processors.command.options import check_program, image_path, parse_options
from filebatch_worker.processors.command.program import Ended, ProgramError, run

INVALID, TRANSIENT = os.EX_DATAERR, os.EX_TEMPFAIL
MAX_MESSAGE = 1000  # characters


class ProgramFailedError(ProgramError):
    """The program ended with an exit code that means a fault of its own, or was killed."""


class NoOutputError(ProgramError):
    """The program ended well and wrote nothing."""


class NoFileError(ProgramError):
    """The program wrote a link, a pipe or a name that is no text, which can't be a result."""


def process(source: Source, workdir: Path, options: Mapping[str, Any]) -> Processed:
    """Have the program process `source`; all files of its output folder are the result.

    Raises InvalidFile for exit code 65, TransientError for 75, MemoryError for a program that was killed as for want
    of memory, ConfigurationError for options that don't fit, else an error of the program's.
    """
    known = parse_options(options)
    check_program(known.command)
    home = workdir / "command"  # what lies here the program wrote; the input lies beside it
    output, scratch = home / "output", home / "scratch"
    for folder in (output, scratch):
        folder.mkdir(parents=True)
    values = {"{input}": str(source.path.resolve()), "{output}": str(output.resolve())}
    command = [values.get(part, part) for part in known.command]
    environment = {
        "PATH": image_path(),
        "LANG": "C.UTF-8",
        "HOME": str(scratch.resolve()),
        "TMPDIR": str(scratch.resolve()),
        "FILEBATCH_INPUT": values["{input}"],
        "FILEBATCH_OUTPUT": values["{output}"],
        "FILEBATCH_NAME": source.name.replace("\0", ""),
        "FILEBATCH_PARAMETERS": json.dumps(known.parameters, ensure_ascii=False),
    }
    ended = run(command, environment, home, timeout=known.timeout, max_bytes=known.max_output_bytes)
    if ended.code:
        raise _failure(ended)
    outputs = tuple(_outputs(output))
    if not outputs:
        raise NoOutputError("the program ended with 0 and wrote nothing to its output folder")
    return Processed(outputs)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that don't fit, and a program that isn't there. Raises ConfigurationError."""
    check_program(parse_options(options).command)


process.check_options = check_options  # type: ignore[attr-defined]  # where the worker looks for it


def _failure(ended: Ended) -> Exception:
    said = ended.stderr.strip().splitlines()
    message = said[-1][:MAX_MESSAGE] if said else ""
    if ended.code == INVALID:
        summary = f"the program refused the file (exit code {INVALID})"
        return InvalidFile(
            "refused",
            f"{summary}: {message}",
            summary=summary,
            stderr=ended.stderr[-4000:],
            stdout=ended.stdout[-4000:],
        )
    if ended.code == TRANSIENT:
        return TransientError(f"the program asked for another try (exit code {TRANSIENT}): {message}")
    if ended.code == -9:
        return MemoryError("the program was killed, as the kernel does for want of memory")
    how = f"ended with exit code {ended.code}" if ended.code > 0 else f"was killed by signal {-ended.code}"
    return ProgramFailedError(f"the program {how}", message)


def _outputs(folder: Path) -> Iterator[Output]:
    """Yield the files below `folder`, by name."""
    if folder.is_symlink():
        raise NoFileError("the program put a link where its output folder was")
    found = os.walk(folder, onerror=_raised)
    for path in sorted(Path(parent, name) for parent, folders, names in found for name in folders + names):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            continue
        name = path.relative_to(folder).as_posix()
        if not stat.S_ISREG(mode) or not name.isprintable():
            raise NoFileError("the program wrote something else than files of printable names", repr(name))
        yield Output(name, path)


def _raised(error: OSError) -> None:
    raise error
