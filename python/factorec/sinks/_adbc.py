"""A connection through ADBC: imported when needed, ended by Ctrl-C, with errors that hold no secrets."""

from __future__ import annotations

import contextlib
import importlib
import re
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from ..errors import DatabaseError, DataError
from ._arrow import import_pyarrow
from .uri import DatabaseAddress

__all__ = ["Connection"]

_T = TypeVar("_T")

# Words of the driver that say nothing to whoever wrote the rows.
_NOISE = re.compile(
    r"^[A-Z_]+: |\[(libpq|SQLite)\] |PGRES_FATAL_ERROR |ERROR: +|\. SQLSTATE: \w+|\nquery( was)?: .*", re.DOTALL
)


class Connection:
    """A connection with one cursor.

    Parameters
    ----------
    address : DatabaseAddress
    table : str
        What is written, for messages.
    autocommit : bool
    """

    def __init__(self, address: DatabaseAddress, table: str, *, autocommit: bool) -> None:
        self._where = f"{address.shown}, table {table}"
        self._address = address
        dbapi = _driver(address.kind)
        with self._errors():
            self._connection = _call(lambda: dbapi.connect(address.uri, autocommit=autocommit))
        self._cursor = self._connection.cursor()

    def query(self, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        with self._errors():
            return _call(lambda: self._query(sql, parameters), self._cursor.adbc_cancel)

    def _query(self, sql: str, parameters: tuple[str, ...]) -> list[tuple[Any, ...]]:
        self._cursor.execute(sql, parameters or None)
        rows: list[tuple[Any, ...]] = self._cursor.fetchall() if self._cursor.description else []
        return rows

    def ingest(self, table: str, rows: Any, schema: str | None = None) -> None:
        """Append an Arrow table to a table."""

        def ingest() -> None:
            self._cursor.adbc_ingest(table, rows, mode="append", db_schema_name=schema)

        with self._errors(rows=True):
            _call(ingest, self._cursor.adbc_cancel)

    def commit(self) -> None:
        """Commit, and close."""
        with self._errors():
            _call(self._connection.commit)
        self.close()

    def rollback(self) -> None:
        """Roll back, and close, without raising: the connection may be gone."""
        with contextlib.suppress(Exception):
            _call(self._connection.rollback)
        self.close()

    def close(self) -> None:
        """Close, without raising."""
        for part in (self._cursor, self._connection):
            with contextlib.suppress(Exception):
                part.close()

    @contextlib.contextmanager
    def _errors(self, *, rows: bool = False) -> Iterator[None]:
        """Turn the driver's errors into ours, in one line; `rows`: while rows are written."""
        import adbc_driver_manager

        try:
            yield
        except adbc_driver_manager.Error as error:
            text = self._address.clean(" ".join(_NOISE.sub("", str(error)).split())).rstrip(". ")
            if rows and "unique constraint" in text.lower():
                reason = f"two rows of one user and rank; was a user asked for twice? ({text})"
                raise DataError(f"{self._where}: {reason}") from None
            raise DatabaseError(f"{self._where}: {text}") from None


def _driver(kind: str) -> Any:
    import_pyarrow("writing to a database", "sql")
    try:
        return importlib.import_module(f"adbc_driver_{kind}.dbapi")
    except ImportError:
        raise DataError(f"writing to {kind} needs adbc-driver-{kind}: pip install 'factorec[sql]'") from None


def _call(function: Callable[[], _T], cancel: Callable[[], None] | None = None) -> _T:
    """Call a function of the driver on a thread of its own, so that Ctrl-C is heard.

    On the main thread, ADBC puts its own handler of SIGINT in the place of Python's, and a Ctrl-C that comes when there
    is nothing to cancel, as while rows are copied, is lost.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        return function()
    done: Future[_T] = Future()
    wake = threading.Event()
    heard: list[Any] = []

    def run() -> None:
        try:
            done.set_result(function())
        except BaseException as error:
            done.set_exception(error)
        wake.set()

    def hear(*arguments: Any) -> None:
        heard.append(arguments)
        wake.set()

    # Not an exception while the call goes on: the connection must not be touched by two threads.
    signal.signal(signal.SIGINT, hear)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        wake.wait()
        if heard and cancel is not None:
            with contextlib.suppress(Exception):
                cancel()
        thread.join()
    finally:
        signal.signal(signal.SIGINT, handler)
    if heard:
        handler(*heard[0])
    return done.result()
