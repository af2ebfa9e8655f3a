"""Tables as Parquet, through pyarrow."""

from __future__ import annotations

import contextlib
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from .columns import Columns

__all__ = ["ParquetWriter", "import_pyarrow"]

# Rows that are collected before they are written: small row groups make files large and slow to read.
_ROW_GROUP = 1 << 17


def import_pyarrow() -> Any:
    """Import pyarrow, or say how to get it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError("writing .parquet needs pyarrow: pip install 'factorec[cli]'") from None
    return pyarrow


class ParquetWriter:
    """Row groups of a bounded number of rows. The first rows decide the types of the columns."""

    def __init__(self, file: BinaryIO) -> None:
        self._pyarrow = import_pyarrow()
        self._file = file
        self._writer: Any = None
        self._schema: Any = None
        self._pending: list[Any] = []
        self._n_pending = 0

    def write(self, columns: Columns) -> None:
        """Keep the rows; write all that are kept once they fill a row group."""
        types = [None] * len(columns) if self._schema is None else self._schema.types
        arrays = [self._convert(name, array, t) for (name, array), t in zip(columns.items(), types, strict=True)]
        table = self._pyarrow.Table.from_arrays(arrays, names=list(columns))
        self._schema = table.schema
        self._pending.append(table)
        self._n_pending += table.num_rows
        if self._n_pending >= _ROW_GROUP:
            self._flush()

    def close(self) -> None:
        """Write the last row group and the footer."""
        if self._schema is None:
            self._schema = self._pyarrow.schema([])
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Close the writer, whose footer nobody will see, before its file is closed under it."""
        if self._writer is not None:
            with contextlib.suppress(Exception):
                self._writer.close()

    def _flush(self) -> None:
        if self._writer is None:
            self._writer = self._pyarrow.parquet.ParquetWriter(self._file, self._schema)
        if self._n_pending:
            self._writer.write_table(self._pyarrow.concat_tables(self._pending), row_group_size=_ROW_GROUP)
        self._pending, self._n_pending = [], 0

    def _convert(self, name: str, array: npt.NDArray[Any], expected: Any) -> Any:
        pa = self._pyarrow
        if array.dtype.kind == "f":
            # Parquet has no half precision in the versions of pyarrow that we accept, and no extended one.
            array = array.astype(np.float32 if array.dtype.itemsize <= 4 else np.float64, copy=False)
        try:
            # As tables come from pandas, a NaN among objects is a missing value.
            values = pa.array(array.tolist(), from_pandas=True) if array.dtype.kind in "OU" else pa.array(array)
            if pa.types.is_null(values.type) and expected is None:
                expected = pa.string()  # nothing but None so far: most likely text
            return values if expected is None or values.type == expected else values.cast(expected)
        except (pa.ArrowException, UnicodeEncodeError, OverflowError) as error:
            raise DataError(f"column {name!r} cannot be written to Parquet: {error}") from None
