"""SQLite: a staging table in short transactions, then a swap in one."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ..errors import DataError
from ._adbc import Connection
from .sql import Column, TableOptions, quoted, refuse_other_columns
from .uri import DatabaseAddress

__all__ = ["SqliteDatabase"]

_WAIT_MS = 60_000  # for locks that others hold
_MARK = "__factorec_"


class SqliteDatabase:
    """Takes rows into a table of another name, piece by piece, so that readers never wait long.

    One transaction for all rows would block readers once it outgrows SQLite's cache, unless the file is in WAL mode.
    A process that is killed leaves the other table behind; the next write to the same table drops it.
    """

    time_type = "TEXT"

    def __init__(self, address: DatabaseAddress, options: TableOptions) -> None:
        if options.schema is not None:
            raise DataError(f"schema={options.schema!r}: SQLite has no schemas")
        self._options = options
        self._shown = f"table {options.table!r} in {address.shown}"
        self._staging = f"{options.table}{_MARK}{secrets.token_hex(8)}"
        self._columns: Sequence[Column] = ()
        self._connection = Connection(address, repr(options.table), autocommit=True)
        try:
            self._execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
            # Renaming must not look at views, which may be about the table that is replaced.
            self._execute("PRAGMA legacy_alter_table = ON")
            self._execute("SELECT count(*) FROM sqlite_master")  # whether it is a database at all
        except BaseException:
            self._connection.close()
            raise

    def begin(self, columns: Sequence[Column], key: Sequence[str]) -> None:
        """Make the staging table."""
        self._columns = columns
        self._check()
        for (name,) in self._query("SELECT name FROM sqlite_master WHERE type = 'table'"):
            if re.fullmatch(re.escape(self._options.table + _MARK) + "[0-9a-f]{16}", name):
                self._execute(f"DROP TABLE IF EXISTS {quoted(name)}")
        lines = [f"{quoted(c.name)} {c.type}" + ("" if c.name == "title" else " NOT NULL") for c in columns]
        if key:
            lines.append(f"PRIMARY KEY ({', '.join(map(quoted, key))})")
        # Rows lie in the order of the key: a user's list is read in one place.
        self._execute(f"CREATE TABLE {quoted(self._staging)} ({', '.join(lines)}){' WITHOUT ROWID' if key else ''}")

    def ingest(self, rows: Any) -> None:
        """Add rows to the staging table, in a transaction."""
        self._connection.ingest(self._staging, rows)

    def time(self, now: datetime) -> Any:
        """Text as ISO 8601, which SQLite's own functions read."""
        import pyarrow

        return pyarrow.scalar(now.isoformat(timespec="microseconds").replace("+00:00", "Z"))

    def finish(self) -> None:
        """Put the staging table in the place of the table, or its rows into it."""
        target, staging = quoted(self._options.table), quoted(self._staging)
        self._execute("BEGIN IMMEDIATE")
        again: list[str] = []
        if not self._check():
            self._execute(f"ALTER TABLE {staging} RENAME TO {target}")
        elif self._options.mode == "replace":
            # What hangs on the table falls with it and is made again.
            query = "SELECT sql FROM sqlite_master WHERE tbl_name = ? COLLATE NOCASE AND type <> 'table'"
            again = [sql for (sql,) in self._query(query, self._options.table) if sql]
            self._execute(f"DROP TABLE {target}")
            self._execute(f"ALTER TABLE {staging} RENAME TO {target}")
        else:
            if self._options.time is not None:
                written = [self._options.model, self.time(self._options.time.astimezone(UTC)).as_py()]
                self._query(f'DELETE FROM {target} WHERE model = ? AND "time" = ?', *written)
            names = ", ".join(quoted(column.name) for column in self._columns)
            self._execute(f"INSERT INTO {target} ({names}) SELECT {names} FROM {staging}")
            self._execute(f"DROP TABLE {staging}")
        for sql in again:
            self._execute(sql)
        self._execute("COMMIT")
        self._connection.close()

    def abandon(self) -> None:
        """Drop the staging table, if the database lets us."""
        for statement in ("ROLLBACK", f"DROP TABLE IF EXISTS {quoted(self._staging)}"):
            with contextlib.suppress(Exception):
                self._execute(statement)
        self._connection.close()

    def _check(self) -> bool:
        """Whether the table is there; one that is not ours is refused."""
        kinds = self._query("SELECT type FROM sqlite_master WHERE name = ? COLLATE NOCASE", self._options.table)
        if not kinds:
            return False
        if kinds[0][0] != "table":
            raise DataError(f"{self._shown} is there as a {kinds[0][0]}; name another table")
        found = self._query("SELECT name, type, pk FROM pragma_table_info(?)", self._options.table)
        refuse_other_columns(self._shown, self._columns, {name: kind for name, kind, _ in found})
        key = [name for name, _, place in found if place]
        if self._options.mode == "append" and key and "time" not in key:
            raise DataError(f"{self._shown} was made by mode='replace' and holds one list per user; name another table")
        return True

    def _query(self, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
        return self._connection.query(sql, *parameters)

    def _execute(self, sql: str) -> None:
        self._connection.query(sql)
