"""Writing tables to files: what is common to all formats."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy.typing as npt

from .._atomic import atomic_file
from ..errors import DataError
from .columns import Columns, check_columns
from .parquet import ParquetWriter, import_pyarrow
from .text import CsvWriter, JsonLinesWriter

__all__ = ["SUFFIXES", "Sink", "open_sink", "write_table"]


class Writer(Protocol):
    """What a format must offer; checked columns of equal length come in, bytes go into a file."""

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

#: The file name endings that can be written.
SUFFIXES = tuple(_WRITERS)


class Sink:
    """A table that is being written. Made by `open_sink`.

    Parameters
    ----------
    writer : Writer
        What knows the format.

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

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
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
        checked = check_columns(columns)
        names = tuple(checked)
        if self._names is None:
            self._names = names
        elif names != self._names:
            raise DataError(f"columns {list(names)} differ from those written before, {list(self._names)}")
        self._writer.write(checked)


@contextlib.contextmanager
def open_sink(path: str | os.PathLike[str]) -> Iterator[Sink]:
    r"""Open a table file to be written piece by piece, in bounded memory.

    The file appears under its name when the block ends, complete; after an error or Ctrl-C in the block an
    old file is still there as it was.

    Parameters
    ----------
    path : path-like
        Its ending says the format:

        - ``.jsonl``: one JSON object a line, UTF-8. NaN, infinities and ``None`` become ``null``.
        - ``.csv``: a header, commas, ``\n`` after each row, UTF-8. NaN, infinities and ``None`` become empty
          fields; an empty string is ``""``.
        - ``.parquet``: needs pyarrow. Values stay as they are.

        In text, a float32 is written with the fewest digits that give it back.

    Yields
    ------
    Sink
        To `Sink.write` columns to.

    Raises
    ------
    DataError
        If the ending is not known, or pyarrow is needed and not installed.
    OSError
        If the folder does not exist or the file cannot be written.

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
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        known = ", ".join(SUFFIXES)
        raise DataError(f"cannot write {os.fspath(path)}: the ending {suffix!r} is not one of {known}")
    if suffix == ".parquet":
        import_pyarrow()  # before there is a file
    with atomic_file(path) as file:
        writer = _WRITERS[suffix](file)
        try:
            yield Sink(writer)
            writer.close()
        except BaseException:
            writer.abandon()
            raise


def write_table(columns: Mapping[str, npt.ArrayLike], path: str | os.PathLike[str]) -> None:
    r"""Write a table to a file at once; formats, values and errors are those of `open_sink`.

    Parameters
    ----------
    columns : dict of str to array-like of shape (n_rows,)
        See `Sink.write`.
    path : path-like
        See `open_sink`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "recs.jsonl"
    >>> write_table({"user_id": ["ann"], "score": [0.25]}, path)
    >>> path.read_text()
    '{"user_id": "ann", "score": 0.25}\n'
    """
    with open_sink(path) as sink:
        sink.write(columns)
