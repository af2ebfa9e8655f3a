"""Tables in databases, through ADBC: what SQLite and PostgreSQL have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from ..errors import DataError
from ._arrow import ArrowTables, import_pyarrow
from .columns import Columns

__all__ = [
    "Column",
    "Database",
    "SqlWriter",
    "TableOptions",
    "quoted",
    "refuse_other_columns",
]

MODES = ("replace", "append")


@dataclass(frozen=True)
class TableOptions:
    """Which table to write, and how; see `factorec.sinks.open_sink`."""

    table: str = "recommendations"
    schema: str | None = None
    mode: str = "replace"
    model: str = "factorec"
    time: datetime | None = None

    def check(self) -> None:
        """Refuse what cannot be."""
        names = {"table": self.table, "model": self.model} | ({} if self.schema is None else {"schema": self.schema})
        for name, value in names.items():
            # Half a surrogate pair is none that UTF-8 can encode.
            if (
                not isinstance(value, str)
                or not value
                or "\0" in value
                or any("\ud800" <= c <= "\udfff" for c in value)
            ):
                raise DataError(f"{name} must be text, and not empty, got {value!r}")
        if self.mode not in MODES:
            raise DataError(f"mode must be 'replace' or 'append', got {self.mode!r}")
        if self.time is not None and (not isinstance(self.time, datetime) or self.time.tzinfo is None):
            raise DataError(f"time must be a datetime with a time zone, got {self.time!r}")


@dataclass(frozen=True)
class Column:
    """A column of the table that is written; `type` is one that both databases know."""

    name: str
    type: str


class Database(Protocol):
    """What a kind of database must offer. Rows appear in the table when `finish` returns, all at once."""

    #: Type of the column with the time of writing.
    time_type: str

    def begin(self, columns: Sequence[Column], key: Sequence[str]) -> None:
        """Get ready to take rows, or say why the table cannot take them."""

    def ingest(self, rows: Any) -> None:
        """Take an Arrow table of rows."""

    def time(self, now: datetime) -> Any:
        """The time of writing as an Arrow scalar."""

    def finish(self) -> None:
        """Let all rows appear; replace or append."""

    def abandon(self) -> None:
        """Forget all rows, without raising."""


class SqlWriter:
    """Rows of recommendations into a table. Adds the columns `model` and `time`."""

    def __init__(self, database: Database, options: TableOptions) -> None:
        self._database, self._options = database, options
        self._pyarrow = import_pyarrow("writing to a database", "sql")
        self._tables = ArrowTables(self._pyarrow, "a database")
        self._time = database.time((options.time or datetime.now(UTC)).astimezone(UTC))
        self._schema: Any = None

    def write(self, columns: Columns) -> None:
        """Keep the rows, or hand over all that are kept once they are many."""
        table = self._tables.add(columns)
        if self._schema is None:
            self._begin(list(columns))
        self._ingest(table)

    def close(self) -> None:
        """Hand over the last rows and let all appear. Without any call of `write` the table stays as it is."""
        self._ingest(self._tables.take())
        if self._schema is None:
            self._database.abandon()
        else:
            self._database.finish()

    def abandon(self) -> None:
        """Leave the table as it was."""
        self._database.abandon()

    def _begin(self, names: list[str]) -> None:
        for name in ("model", "time"):
            if name in names:
                raise DataError(f"column {name!r} is one that the database table has for itself; rename yours")
        pa = self._pyarrow
        fields = [pa.field(field.name, self._arrow_type(field)) for field in self._tables.schema]
        self._schema = pa.schema(fields)
        columns = [Column(field.name, self._sql_type(field.type)) for field in fields]
        columns += [Column("model", "TEXT"), Column("time", self._database.time_type)]
        key = []
        if "rank" in names[1:]:  # before it stand the user and, if lists were asked for in it, the context
            written = ["model", "time"] if self._options.mode == "append" else []
            key = [*names[: names.index("rank")], *written, "rank"]
        self._database.begin(columns, key)

    def _ingest(self, table: Any) -> None:
        if table is None:
            return
        pa = self._pyarrow
        try:
            table = table.cast(self._schema)
        except pa.ArrowInvalid as error:
            raise DataError(f"a number is too large for the database: {error}") from None
        rows = table.append_column("model", pa.repeat(self._options.model, table.num_rows))
        rows = rows.append_column("time", pa.repeat(self._time, table.num_rows))
        self._database.ingest(rows)

    def _arrow_type(self, field: Any) -> Any:
        pa = self._pyarrow
        if pa.types.is_integer(field.type):
            return pa.int32() if field.name == "rank" else pa.int64()
        return field.type

    def _sql_type(self, kind: Any) -> str:
        types = self._pyarrow.types
        if types.is_integer(kind):
            return "INTEGER" if kind.bit_width == 32 else "BIGINT"
        if types.is_floating(kind):
            return "REAL" if kind.bit_width == 32 else "DOUBLE PRECISION"
        return "BOOLEAN" if types.is_boolean(kind) else "TEXT"


def quoted(*names: str | None) -> str:
    """A name as SQL, in double quotes; with its schema before it, if it has one."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names if name is not None)


def refuse_other_columns(shown: str, wanted: Sequence[Column], found: dict[str, str]) -> None:
    """Refuse a table that was not made for these columns."""
    expected = {column.name: column.type.upper() for column in wanted}
    wrong = [f"no column {name!r}" for name in expected if name not in found]
    wrong += [f"a column {name!r} that is not written" for name in found if name not in expected]
    wrong += [
        f"column {name!r} is {found[name]}, to be written is {kind}"
        for name, kind in expected.items()
        if name in found and found[name].upper() != kind
    ]
    if wrong:
        raise DataError(f"{shown} is there with another schema: {'; '.join(wrong)}. Drop it or name another table")
