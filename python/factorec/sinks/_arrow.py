"""Columns as Arrow tables of one schema, each with many rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from .columns import Columns

__all__ = ["ROWS", "ArrowTables", "import_pyarrow"]

#: Rows that are collected before they are written: row groups and bulk inserts of few rows are slow.
ROWS = 1 << 17


def import_pyarrow(purpose: str, extra: str) -> Any:
    """Import pyarrow, or say how to get it."""
    try:
        import pyarrow
    except ImportError:
        raise DataError(f"{purpose} needs pyarrow: pip install 'factorec[{extra}]'") from None
    return pyarrow


class ArrowTables:
    """Collects rows into tables of a bounded number of rows. The first rows decide the types of the columns."""

    def __init__(self, pyarrow: Any, format_name: str) -> None:
        self._pyarrow = pyarrow
        self._format_name = format_name
        self._pending: list[Any] = []
        self._n_pending = 0
        self.schema: Any = None

    def add(self, columns: Columns) -> Any:
        """Keep the rows; return all that are kept as one table once they are many, otherwise None."""
        types = [None] * len(columns) if self.schema is None else self.schema.types
        arrays = [self._convert(name, array, t) for (name, array), t in zip(columns.items(), types, strict=True)]
        table = self._pyarrow.Table.from_arrays(arrays, names=list(columns))
        self.schema = table.schema
        self._pending.append(table)
        self._n_pending += table.num_rows
        return self.take() if self._n_pending >= ROWS else None

    def take(self) -> Any:
        """Return all rows that are kept as one table; None if there are none."""
        table = self._pyarrow.concat_tables(self._pending) if self._n_pending else None
        self._pending, self._n_pending = [], 0
        return table

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
            raise DataError(f"column {name!r} cannot be written to {self._format_name}: {error}") from None
