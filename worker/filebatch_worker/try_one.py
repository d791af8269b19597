"""Does one file on this machine, without AWS, as a container would: `python -m filebatch_worker.try_one FILE`.

What it is to do stands on standard input, as JSON: `processor`, `options`, `memory` (MiB) and `vcpu` of a feed. What
became of the file is printed in full, values included: it is the file of whoever asks. `make try` calls this.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from filebatch.core.wording import visible
from filebatch_worker import calling, file, processor, returned

SUCCEEDED, INVALID, FAILED = os.EX_OK, os.EX_DATAERR, os.EX_SOFTWARE  # exit codes
ROWS = 5
SHOWN = 2000  # bytes of an output that isn't a table


def main(arguments: Sequence[str]) -> int:
    """Do the file, print what became of it, and return the exit code."""
    path, asked = Path(arguments[0]), json.load(sys.stdin)
    os.environ |= {"FILEBATCH_MEMORY_MIB": str(asked["memory"]), "FILEBATCH_VCPU": str(asked["vcpu"])}
    source = processor.Source(path, path.name, path.stat().st_size)
    workdir = Path(tempfile.mkdtemp(prefix="filebatch-try-"))
    began, used = time.perf_counter(), time.process_time()
    code, told = _outcome(asked["processor"], asked["options"], source, workdir)
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    told += [
        f"seconds   {wall:.2f} (CPU of this process: {cpu:.2f})",
        f"memory    {_peak_mib():.0f} MiB at most, of {asked['memory']} MiB",
    ]
    sys.stdout.writelines(f"{visible(line)}\n" for line in told)
    return code


def _outcome(name: str, options: Mapping[str, Any], source: processor.Source, workdir: Path) -> tuple[int, list[str]]:
    try:
        process = processor.load_processor(name)
        processor.check_options(process, options)
        processed = returned.check(calling.call(process, source, workdir, options))
    except processor.InvalidFile as error:
        where = json.dumps(returned.check_invalid(error).where, ensure_ascii=False)
        return INVALID, [
            "state     INVALID",
            f"code      {error.code}",
            f"message   {error.message}",
            f"where     {where}",
        ]
    except Exception as error:  # noqa: BLE001 - whatever a processor raises is told
        return FAILED, list(_failed(error))
    return SUCCEEDED, list(_succeeded(processed))


def _failed(error: Exception) -> Iterator[str]:
    yield "state     FAILED"
    yield f"code      {file.classify(error)}"
    yield f"message   {type(error).__name__}: {error}"
    if calling.is_processors(error):
        yield f"raised   {calling.place(error)}"
        yield from "".join(traceback.format_exception(error)).splitlines()


def _succeeded(processed: processor.Processed) -> Iterator[str]:
    yield "state     SUCCEEDED"
    yield f"rows      {'not told' if processed.rows is None else processed.rows}"
    yield f"notes     {json.dumps(processed.notes, ensure_ascii=False)}"
    for output in processed.outputs:
        yield f"output    {output.name}, {output.path.stat().st_size} bytes: {output.path}"
    for output in processed.outputs:
        yield from _begin_of(output)


def _begin_of(output: processor.Output) -> Iterator[str]:
    """Yield the first rows of a table, or the first lines of another text."""
    if output.path.suffix == ".parquet":
        import duckdb

        table = duckdb.from_parquet(str(output.path), hive_partitioning=False)
        yield f"{output.name}: " + ", ".join(map(" ".join, zip(table.columns, map(str, table.types), strict=True)))
        yield from (f"  {row}" for row in table.limit(ROWS).fetchall())
        return
    with output.path.open("rb") as content:
        begin = content.read(SHOWN)
    if not output.name.endswith("profile.json") and b"\0" not in begin:
        yield f"{output.name}:"
        yield from (f"  {line}" for line in begin.decode("utf-8", errors="replace").splitlines()[:ROWS])


def _peak_mib() -> float:
    """Return the largest memory that this process, or one that it started and waited for, has taken."""
    unit = 2**20 if sys.platform == "darwin" else 2**10  # https://man7.org/linux/man-pages/man2/getrusage.2.html
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / unit


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
