"""A DuckDB that strangers' files may be given to: bounded memory, no network, no file outside the work directory."""

from __future__ import annotations

import errno
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filebatch_worker.processors.tabular.classify import MACROS
from filebatch_worker.processors.tabular.column_types import literal
from filebatch_worker.processors.tabular.faults import invalid

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MIB = 1024**2
MEMORY_SHARE = 0.6  # of the container's: the rest is Python's, the allocator's and the page cache's
LEAST_MEMORY_MIB = 128
_UNSUPPORTED = re.compile(r"[Uu]nsupported|not (yet )?(supported|implemented)")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@contextmanager
def engine(workdir: Path) -> Iterator[DuckDBPyConnection]:
    """Yield a connection that reads and writes below `workdir` alone and spills there."""
    import duckdb  # an array's child that finds nothing to do should not pay for it

    spill = workdir / "spill"
    spill.mkdir(exist_ok=True)
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{memory_limit_mib()}MiB",
            "threads": str(thread_count()),
            "temp_directory": str(spill),
            "preserve_insertion_order": "true",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
        },
    )
    try:
        _restrict(connection, workdir)
        yield connection
    finally:
        connection.close()


def _restrict(connection: DuckDBPyConnection, workdir: Path) -> None:
    for statement in (
        "SET TimeZone = 'UTC'",
        "SET enable_progress_bar = false",
        *MACROS,
        f"SET allowed_directories = [{literal(str(workdir))}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(statement)


@contextmanager
def reading(workdir: Path) -> Iterator[None]:
    """Turn the engine's errors about the file into ours.

    Raises MemoryError, OSError (no space left), else InvalidFile: "unsupported" for what this engine can't read and
    others may, "unreadable" for the rest, which is about the content.
    """
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise MemoryError(_first_line(error)) from error
    except (duckdb.PermissionException, duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException):
        raise  # the sandbox or our SQL is wrong, not the file
    except duckdb.Error as error:
        message = _first_line(error).replace(str(workdir), "").strip()
        if "No space left" in message:
            raise OSError(errno.ENOSPC, message) from error
        if isinstance(error, duckdb.NotImplementedException) or _UNSUPPORTED.search(_QUOTED.sub("", message)):
            raise invalid(
                "unsupported", "this uses a part of its format that can't be read here; it may be whole", message
            ) from error
        raise invalid("unreadable", "this cannot be read as a table", message) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def memory_limit_mib() -> int:
    """Return what the engine may use of the container's memory, in MiB."""
    return max(LEAST_MEMORY_MIB, int(_container_mib() * MEMORY_SHARE))


def _container_mib() -> float:
    told = os.environ.get("FILEBATCH_MEMORY_MIB")
    if told:
        return float(told)
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *_cgroup_limits()]) / MIB


def _cgroup_limits() -> Iterator[int]:
    for path in _CGROUP_LIMITS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            yield int(text)


def thread_count() -> int:
    """Return the threads that the container's vCPUs can run, at least one."""
    told = os.environ.get("FILEBATCH_VCPU")
    return max(1, math.ceil(float(told))) if told else len(os.sched_getaffinity(0))
