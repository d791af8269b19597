"""A DuckDB that strangers' files may be given to: bounded memory, no network, no file outside the work directory."""

from __future__ import annotations

import atexit
import errno
import math
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filebatch_worker.processor import InvalidFile
from filebatch_worker.processors.tabular.classify import MACROS
from filebatch_worker.processors.tabular.column_types import literal
from filebatch_worker.processors.tabular.faults import invalid
from filebatch_worker.settings import read_bounds

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MIB = 1024**2
MEMORY_SHARE = 0.6  # of the container's: the rest is Python's, the allocator's and the page cache's
LEAST_MEMORY_MIB = 128
_UNSUPPORTED = re.compile(r"[Uu]nsupported|not (yet )?(supported|implemented)")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class Engine:
    """A database in memory that reads and writes below `home` alone and spills there.

    It takes as long to open as a small file takes to read, so one serves many files, in turn. They share nothing: each
    has a folder of its own while it is read, and a connection of its own, which takes its temporary tables with it.
    """

    database: DuckDBPyConnection
    home: Path
    limits: tuple[int, int]


_engines: list[Engine] = []  # the one that is open, if any
_inherited: list[Engine] = []  # from the process that forked: without its threads they can be neither used nor closed
_turn = threading.Lock()


@contextmanager
def engine() -> Iterator[tuple[DuckDBPyConnection, Path]]:
    """Yield a connection, and the folder that it may read and write, which is gone afterwards.

    What has failed in any other way than by its file is closed rather than used again.
    """
    with _turn:
        opened = _opened()
        folder = Path(tempfile.mkdtemp(prefix="file-", dir=opened.home))
        connection = opened.database.cursor()
        try:
            yield connection, folder
        except InvalidFile:
            if not _is_sound(connection):
                _close(opened)
            raise
        except BaseException:
            _close(opened)
            raise
        finally:
            connection.close()
            shutil.rmtree(folder, ignore_errors=True)


def _opened() -> Engine:
    """Return the engine that is open, or another where that has other limits than the container has now."""
    limits = memory_limit_mib(), thread_count()
    for each in tuple(_engines):
        if each.limits == limits and each.home.is_dir():
            return each
        _close(each)
    _engines.append(_open(limits))
    return _engines[-1]


def _open(limits: tuple[int, int]) -> Engine:
    import duckdb  # an array's child that finds nothing to do should not pay for it

    memory, threads = limits
    home = Path(tempfile.mkdtemp(prefix="engine-"))
    database = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{memory}MiB",
            "threads": str(threads),
            "temp_directory": str(home / "spill"),
            "preserve_insertion_order": "true",
            "enable_external_file_cache": "false",  # nothing of a file outlives it
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
        },
    )
    _restrict(database, home)
    return Engine(database, home, limits)


@atexit.register
def close() -> None:
    """Close the engine that is open, if any. It opens again when it is needed."""
    for each in tuple(_engines):
        _close(each)


def _close(opened: Engine) -> None:
    _engines.remove(opened)
    opened.database.close()
    shutil.rmtree(opened.home, ignore_errors=True)


def _after_fork() -> None:
    _inherited.extend(_engines)
    _engines.clear()


os.register_at_fork(after_in_child=_after_fork)


def _is_sound(connection: DuckDBPyConnection) -> bool:
    """Whether the engine still answers: after an error within itself it refuses all work."""
    import duckdb

    try:
        connection.execute("SELECT 1")
    except duckdb.Error:
        return False
    return True


def _restrict(database: DuckDBPyConnection, home: Path) -> None:
    for statement in (
        "SET GLOBAL TimeZone = 'UTC'",
        "SET enable_progress_bar = false",
        "SET disabled_optimizers = 'in_clause'",  # it joins all rows for an IN that a CASE lets few of them reach
        *MACROS,
        f"SET allowed_directories = [{literal(str(home))}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        database.execute(statement)


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
        if "maximum_object_size" in message:
            raise invalid("line-too-long", "an object of the file has more than 16 MiB") from error
        if isinstance(error, duckdb.NotImplementedException) or _UNSUPPORTED.search(_QUOTED.sub("", message)):
            raise invalid(
                "unsupported", "this uses a part of its format that can't be read here; it may be whole", reader=message
            ) from error
        raise invalid("unreadable", "this cannot be read as a table", reader=message) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def memory_limit_mib() -> int:
    """Return what the engine may use of the container's memory, in MiB."""
    return max(LEAST_MEMORY_MIB, int(_container_mib() * MEMORY_SHARE))


def _container_mib() -> float:
    told = read_bounds(os.environ).memory
    if told:
        return told
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
    told = read_bounds(os.environ).vcpu
    return max(1, math.ceil(told)) if told else len(os.sched_getaffinity(0))
