"""Columns of features: values and what is missing among them, as categories or as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ._ids import Ids, as_ids, is_missing
from .tables import objects, series, to_array

__all__ = ["Categories", "missing_in", "read_categories", "read_numbers"]

CATEGORIES = "categories"


@dataclass(frozen=True)
class Categories:
    """A column of categories.

    Attributes
    ----------
    ids : int64 array, object array of str, or pyarrow array of strings, n_present of them
        The values that are there. Booleans are 0 and 1.
    rows : ndarray of shape (n_present,), int64
        The rows of the table where they stand.
    n_rows : int
        Of the table; in the others the value is missing.
    """

    ids: Ids
    rows: npt.NDArray[np.int64]
    n_rows: int


def read_categories(table: Any, name: Any) -> Categories:
    """Read a column of integers, strings or booleans, any of them missing.

    Raises
    ------
    DataError
        If there is no such column, or a value is none of these; whole floats pass as integers.
    """
    values = series(table, name)
    n = len(values)
    missing = missing_in(values)
    rows = np.flatnonzero(~missing)
    if len(rows) < n:
        values = values.filter((~missing).tolist()) if isinstance(values, nw.Series) else values[rows]
    return Categories(as_ids(_booleans_as_integers(values), name, rows=rows, what=CATEGORIES), rows, n)


def _booleans_as_integers(values: nw.Series[Any] | npt.NDArray[Any]) -> nw.Series[Any] | npt.NDArray[Any]:
    if isinstance(values, nw.Series):
        if values.dtype == nw.Boolean:
            return values.to_numpy().astype(np.int64)
        if values.dtype != nw.Object:
            return values
        values = to_array(values)
    if values.dtype.kind == "b":
        return values.astype(np.int64)
    if values.dtype.kind == "O" and {bool, np.bool_} & set(map(type, values)):
        return objects(int(value) if isinstance(value, bool | np.bool_) else value for value in values)
    return values


def missing_in(values: nw.Series[Any] | npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return which values are missing: None, NaN, NaT, pandas' NA, a null of any library."""
    if isinstance(values, nw.Series):
        if values.dtype == nw.Object:
            return missing_in(to_array(values))
        missing = values.is_null().to_numpy().astype(bool)
        if values.dtype.is_float():
            missing |= np.isnan(values.to_numpy().astype(np.float64))
        return np.asarray(missing)
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    if values.dtype.kind in "mM":
        return np.asarray(np.isnat(values))
    if values.dtype.kind in "OT":
        return np.fromiter(map(is_missing, values), np.bool_, len(values))
    return np.zeros(len(values), dtype=bool)


def read_numbers(table: Any, name: Any) -> npt.NDArray[np.float64]:
    """Read a column of numbers, NaN where one is missing.

    Raises
    ------
    DataError
        If there is no such column, or a value is no finite number.
    """
    values = series(table, name)
    missing = missing_in(values)
    if isinstance(values, nw.Series):
        if not (values.dtype.is_numeric() or values.dtype in (nw.Boolean, nw.Object) or len(values) == missing.sum()):
            raise _not_numbers(name, values.dtype)
        values = to_array(values)
    if values.dtype.kind not in "iufbO":
        if len(values) == missing.sum():
            return np.full(len(values), np.nan)
        raise _not_numbers(name, values.dtype)
    numbers = np.full(len(values), np.nan)
    present = np.flatnonzero(~missing)
    if values.dtype.kind == "O":
        for row in present.tolist():
            if isinstance(values[row], str | bytes):
                raise _refused(name, values[row], row, "not a number")
            try:
                numbers[row] = values[row]
            except (TypeError, ValueError):
                raise _refused(name, values[row], row, "not a number") from None
            except OverflowError:
                raise _refused(name, values[row], row, "beyond the range of float64") from None
    else:
        numbers[present] = values[present]
    wrong = np.isinf(numbers)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise _refused(name, numbers[row].item(), row, "not a finite number")
    return numbers


def _not_numbers(name: Any, dtype: object) -> DataError:
    return DataError(
        f"column {name!r} holds values of type {dtype}, not numbers; convert the column, or declare it Categorical"
    )


def _refused(name: Any, value: object, row: int, why: str) -> DataError:
    return DataError(f"column {name!r} holds {value!r} in row {row} (counting from 0), {why}; convert or drop it")
