"""Tables as Parquet, through pyarrow."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any, BinaryIO

from ._arrow import ROWS, ArrowTables, import_pyarrow
from .columns import Columns

__all__ = ["ParquetWriter", "import_parquet"]


def import_parquet() -> Any:
    """Import pyarrow with its Parquet part, or say how to get it."""
    pyarrow = import_pyarrow("writing .parquet", "cli")
    importlib.import_module("pyarrow.parquet")
    return pyarrow


class ParquetWriter:
    """Row groups of a bounded number of rows. The first rows decide the types of the columns."""

    def __init__(self, file: BinaryIO) -> None:
        self._pyarrow = import_parquet()
        self._file = file
        self._writer: Any = None
        self._tables = ArrowTables(self._pyarrow, "Parquet")

    def write(self, columns: Columns) -> None:
        """Keep the rows; write all that are kept once they fill a row group."""
        self._write(self._tables.add(columns))

    def close(self) -> None:
        """Write the last row group and the footer."""
        self._write(self._tables.take())
        if self._writer is None:
            self._open()
        self._writer.close()

    def abandon(self) -> None:
        """Close the writer, whose footer nobody will see, before its file is closed under it."""
        if self._writer is not None:
            with contextlib.suppress(Exception):
                self._writer.close()

    def _write(self, table: Any) -> None:
        if table is None:
            return
        if self._writer is None:
            self._open()
        self._writer.write_table(table, row_group_size=ROWS)

    def _open(self) -> None:
        schema = self._tables.schema or self._pyarrow.schema([])
        self._writer = self._pyarrow.parquet.ParquetWriter(self._file, schema)
