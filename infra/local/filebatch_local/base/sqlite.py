"""SQLite for several Airflow processes at once: a transaction that will write takes the lock before it reads.

A savepoint opens a transaction that reads first and writes later. If another process writes in between, SQLite refuses
the write at once, whatever the timeout ("database is locked"): making a backfill failed like that.
https://www.sqlite.org/isolation.html, https://docs.python.org/3/library/sqlite3.html#transaction-control
"""

import sqlite3
from typing import Any, Self


class _Cursor(sqlite3.Cursor):
    def execute(self, sql: str, *args: Any) -> Self:
        if sql.startswith("SAVEPOINT") and not self.connection.in_transaction:
            super().execute("BEGIN IMMEDIATE")
        return super().execute(sql, *args)


class Connection(sqlite3.Connection):
    """A connection whose savepoints take the write lock when they begin."""

    def cursor(self, factory: Any = None) -> Any:
        """Return a cursor that begins a savepoint's transaction as a writer."""
        return super().cursor(factory or _Cursor)


# What Airflow's [database] sql_alchemy_connect_args names.
connect_args = {"timeout": 60, "factory": Connection}
