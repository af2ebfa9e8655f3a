"""PostgreSQL: everything in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ..errors import DataError
from ._adbc import Connection
from .sql import Column, TableOptions, quoted, refuse_other_columns
from .uri import DatabaseAddress

__all__ = ["PostgresqlDatabase"]

_KINDS = {"v": "view", "m": "materialized view", "f": "foreign table", "i": "index", "S": "sequence"}


class PostgresqlDatabase:
    """Deletes the old rows and copies the new ones in one transaction.

    Readers see the old rows until it ends, whatever their isolation level, and never wait for a lock; grants, views
    and indexes stay. (Another table under the old name would take a lock that waits for every reader, lose the
    grants, and look empty to a transaction that began before.) If the process is killed or the connection lost, the
    server rolls back. The room of the old rows is used again once PostgreSQL has vacuumed the table, by itself.
    """

    time_type = "TIMESTAMP WITH TIME ZONE"

    def __init__(self, address: DatabaseAddress, options: TableOptions) -> None:
        self._options = options
        self._table = quoted(options.schema, options.table)
        self._shown = f"table {self._table} in {address.shown}"
        self._connection = Connection(address, self._table, autocommit=False)

    def begin(self, columns: Sequence[Column], key: Sequence[str]) -> None:
        """Make the table, or empty it for this transaction."""
        if self._check(columns):
            if self._options.mode == "replace":
                # Others may read, but not write, until this is done.
                self._connection.query(f"LOCK TABLE {self._table} IN SHARE ROW EXCLUSIVE MODE")
                self._connection.query(f"DELETE FROM {self._table}")
            elif self._options.time is not None:
                written = [self._options.model, self._options.time.isoformat()]
                self._connection.query(
                    f'DELETE FROM {self._table} WHERE model = $1 AND "time" = $2::timestamptz', *written
                )
            return
        lines = [f"{quoted(c.name)} {c.type}" + ("" if c.name == "title" else " NOT NULL") for c in columns]
        if key:
            lines.append(f"PRIMARY KEY ({', '.join(map(quoted, key))})")
        self._connection.query(f"CREATE TABLE {self._table} ({', '.join(lines)})")

    def ingest(self, rows: Any) -> None:
        """Copy rows into the table."""
        self._connection.ingest(self._options.table, rows, self._options.schema)

    def time(self, now: datetime) -> Any:
        """A point in time."""
        import pyarrow

        return pyarrow.scalar(now, pyarrow.timestamp("us", "UTC"))

    def finish(self) -> None:
        """Commit."""
        self._connection.commit()

    def abandon(self) -> None:
        """Roll back, as the server does by itself when the connection is gone."""
        self._connection.rollback()

    def _check(self, columns: Sequence[Column]) -> bool:
        """Whether the table is there; one that is not ours is refused."""
        kinds = self._connection.query("SELECT relkind::text FROM pg_class WHERE oid = to_regclass($1)", self._table)
        if not kinds:
            return False
        if kinds[0][0] not in ("r", "p"):
            raise DataError(f"{self._shown} is there as a {_KINDS.get(kinds[0][0], 'thing')}; name another table")
        found = self._connection.query(
            "SELECT a.attname::text, format_type(a.atttypid, NULL), COALESCE(a.attnum = ANY(i.indkey), false) "
            "FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary "
            "WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            self._table,
        )
        refuse_other_columns(self._shown, columns, {name: kind for name, kind, _ in found})
        key = [name for name, _, is_key in found if is_key]
        if self._options.mode == "append" and key and "time" not in key:
            raise DataError(f"{self._shown} was made by mode='replace' and holds one list per user; name another table")
        return True
