"""Writing tables to files: what is common to all formats."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import numpy.typing as npt

from .._atomic import atomic_file
from ..errors import DataError
from .columns import Columns, check_columns
from .parquet import ParquetWriter, import_parquet
from .postgresql import PostgresqlDatabase
from .sql import Database, SqlWriter, TableOptions
from .sqlite import SqliteDatabase
from .text import CsvWriter, JsonLinesWriter
from .uri import DatabaseAddress, is_database

__all__ = ["SUFFIXES", "Sink", "open_sink", "write_table"]


class Writer(Protocol):
    """What a format must offer; checked columns of equal length come in, and go into a file or a database."""

    def write(self, columns: Columns) -> None:
        """Write the rows, or keep a bounded number of them."""

    def close(self) -> None:
        """Write what is left. Not called after an error."""

    def abandon(self) -> None:
        """Let go of everything after an error, without raising another."""


_WRITERS: dict[str, Callable[[BinaryIO], Writer]] = {
    ".csv": CsvWriter,
    ".jsonl": JsonLinesWriter,
    ".parquet": ParquetWriter,
}

_DATABASES: dict[str, Callable[[DatabaseAddress, TableOptions], Database]] = {
    "sqlite": SqliteDatabase,
    "postgresql": PostgresqlDatabase,
}

#: The file name endings that can be written.
SUFFIXES = tuple(_WRITERS)


class Sink:
    """A table that is being written. Made by `open_sink`.

    Parameters
    ----------
    writer : Writer
        What knows the format.
    titles : bool
        False leaves out a column ``title``.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "lists.csv")
    ...     with open_sink(path) as sink:
    ...         sink.write({"user_id": [1, 1], "item_id": [7, 9]})
    ...         sink.write({"user_id": [2], "item_id": [7]})
    ...     path.read_text().splitlines()
    ['user_id,item_id', '1,7', '1,9', '2,7']
    """

    def __init__(self, writer: Writer, *, titles: bool = True) -> None:
        self._writer = writer
        self._titles = titles
        self._names: tuple[str, ...] | None = None

    def write(self, columns: Mapping[str, npt.ArrayLike]) -> None:
        """Append rows.

        Parameters
        ----------
        columns : dict of str to array-like of shape (n_rows,)
            Integers, floats, booleans, or strings; ``None`` in an object array is a missing value. The same
            names in the same order at every call.

        Raises
        ------
        DataError
            Naming the column, and where it applies the row, that cannot be written.
        """
        if not self._titles:
            columns = {name: values for name, values in columns.items() if name != "title"}
        checked = check_columns(columns)
        names = tuple(checked)
        if self._names is None:
            self._names = names
        elif names != self._names:
            raise DataError(f"columns {list(names)} differ from those written before, {list(self._names)}")
        self._writer.write(checked)


@contextlib.contextmanager
def open_sink(
    target: str | os.PathLike[str],
    *,
    table: str = "recommendations",
    schema: str | None = None,
    mode: Literal["replace", "append"] = "replace",
    model: str = "factorec",
    time: datetime | None = None,
    titles: bool | None = None,
) -> Iterator[Sink]:
    r"""Open a table, in a file or in a database, to be written piece by piece, in bounded memory.

    What is written appears when the block ends, complete; after an error or Ctrl-C in the block, or when the process
    is killed, what stood there before is still there as it was.

    Parameters
    ----------
    target : path-like, or URI
        The ending of a file says the format:

        - ``.jsonl``: one JSON object a line, UTF-8. NaN, infinities and ``None`` become ``null``.
        - ``.csv``: a header, commas, ``\n`` after each row, UTF-8. NaN, infinities and ``None`` become empty
          fields; an empty string is ``""``.
        - ``.parquet``: needs pyarrow. Values stay as they are.

        In text, a float32 is written with the fewest digits that give it back.

        Databases need the extra ``sql``:

        - ``sqlite:///path.db``, ``sqlite:////absolute/path.db``: a file, made if it is not there. Do not have it open
          in another thread through Python's own ``sqlite3``: two copies of SQLite in one process lose their locks.
        - ``postgresql://user:password@host:port/database``: as libpq reads it.

    table : str
        Database: name of the table, taken literally. It has the columns that are written (usually ``user_id``,
        ``rank``, ``item_id``, ``score``) and then ``model`` and ``time``; see Notes.
    schema : str, optional
        PostgreSQL: schema of the table; by default the first of the search path.
    mode : {"replace", "append"}
        Database: put the rows in the place of those that are there, or add them. A table with other columns is
        refused. Files are always replaced.
    model : str
        Database: what stands in the column ``model`` of every row.
    time : datetime, optional
        Database: what stands in the column ``time`` of every row; by default when the writing began. Rows of this model
        and time that are there already are replaced in mode "append" too, so that a job may write them again.
    titles : bool, optional
        Whether a column ``title`` is written; by default to files only.

    Yields
    ------
    Sink
        To `Sink.write` columns to.

    Raises
    ------
    DataError
        If the ending or the URI is not known, what is needed is not installed, an option cannot be, or the table in the
        database is another one.
    OSError
        If the folder does not exist or the file cannot be written; `DatabaseError` for what a database refuses.

    Notes
    -----
    Types in a database: integers are BIGINT (``rank``: INTEGER), text is TEXT, float32 is REAL, float64 is DOUBLE
    PRECISION, ``model`` is TEXT, and ``time`` is when the writing began, the same in all its rows: TIMESTAMP WITH
    TIME ZONE, or in SQLite text such as ``2025-01-31T09:00:00.000000Z``. Columns other than ``title`` are NOT NULL.
    A table that is made has the primary key (user, ``rank``) in mode "replace" and (user, ``model``, ``time``,
    ``rank``) in mode "append"; what stands before ``rank`` is the user, and after it the context of a list, if any.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "recs.csv"
    >>> with open_sink(path) as sink:
    ...     sink.write({"user_id": [1, 1], "title": ["Heat", "Good, the Bad and the Ugly"]})
    ...     sink.write({"user_id": [2], "title": ["Alien"]})
    >>> print(path.read_text(), end="")
    user_id,title
    1,Heat
    1,"Good, the Bad and the Ugly"
    2,Alien
    """
    options = TableOptions(table, schema, mode, model, time)
    options.check()
    if titles is None:
        titles = not is_database(target)
    with _writer(target, options) as writer:
        try:
            yield Sink(writer, titles=titles)
            writer.close()
        except BaseException:
            writer.abandon()
            raise


@contextlib.contextmanager
def _writer(target: str | os.PathLike[str], options: TableOptions) -> Iterator[Writer]:
    if is_database(target):
        address = DatabaseAddress.parse(os.fspath(target))
        yield SqlWriter(_DATABASES[address.kind](address, options), options)
        return
    suffix = Path(target).suffix.lower()
    if suffix not in _WRITERS:
        known = ", ".join(SUFFIXES)
        raise DataError(f"cannot write {os.fspath(target)}: the ending {suffix!r} is not one of {known}")
    if options.mode != "replace" or options.schema is not None:
        raise DataError(f"mode='append' and schema= are for databases; {os.fspath(target)} is a file")
    if suffix == ".parquet":
        import_parquet()  # before there is a file
    with atomic_file(target) as file:
        yield _WRITERS[suffix](file)


def write_table(columns: Mapping[str, npt.ArrayLike], target: str | os.PathLike[str], **options: Any) -> None:
    r"""Write a table at once; formats, values, options and errors are those of `open_sink`.

    Parameters
    ----------
    columns : dict of str to array-like of shape (n_rows,)
        See `Sink.write`.
    target : path-like, or URI
    **options
        See `open_sink`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "recs.jsonl"
    >>> write_table({"user_id": ["ann"], "score": [0.25]}, path)
    >>> path.read_text()
    '{"user_id": "ann", "score": 0.25}\n'
    """
    with open_sink(target, **options) as sink:
        sink.write(columns)
