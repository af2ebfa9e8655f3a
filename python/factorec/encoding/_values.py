"""Columns as scikit-learn's transformers take them: the same values whatever library they come from."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from ._columns import missing_in
from .tables import cells, n_rows, objects

try:
    import pandas as pd
except ImportError:
    pd = None  # type: ignore[assignment]

__all__ = ["frame_of", "values_of"]

WHOLE = np.dtype(np.int64)
NUMBERS = (int, float, np.number, decimal.Decimal)


def values_of(table: Any, name: Any) -> npt.NDArray[Any]:
    """Return a column as one of few types.

    Parameters
    ----------
    table : table
    name : hashable

    Returns
    -------
    ndarray of shape (n_rows,)
        int64, float64 (NaN where a number is missing), bool, datetime64[us] (UTC; NaT where missing),
        timedelta64[us], or objects (strings, lists and others; None where missing).
    """
    values = cells(table, name)
    missing = missing_in(values)
    if isinstance(values, nw.Series):
        values = _to_numpy(values)
    elif values.dtype.kind in "UT":
        values = values.astype(object)
    if values.dtype.kind == "O":
        values = _inferred(values, missing)
    kind = values.dtype.kind
    if kind in "mM":
        return values.astype(f"{kind}8[us]")
    if kind in "iub" and missing.any():
        kind = "f"
    if kind == "f":
        numbers = values.astype(np.float64)
        numbers[missing] = np.nan
        return numbers
    return values.astype(WHOLE) if kind == "i" or (kind == "u" and values.itemsize < 8) else values


def frame_of(table: Any, names: list[Any]) -> Any:
    """Return columns side by side: a frame of pandas where that is installed, else a two-dimensional array."""
    columns = {name: values_of(table, name) for name in names}
    if pd is not None:
        return pd.DataFrame({str(name): values for name, values in columns.items()}, index=range(n_rows(table)))
    kinds = {values.dtype for values in columns.values()}
    return np.stack([values if len(kinds) == 1 else values.astype(object) for values in columns.values()], axis=1)


def _to_numpy(values: nw.Series[Any]) -> npt.NDArray[Any]:
    dtype = values.dtype
    if isinstance(dtype, nw.Datetime) and dtype.time_zone is not None:
        return values.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy()
    if isinstance(dtype, nw.Datetime | nw.Date | nw.Duration) or dtype.is_numeric():
        return np.asarray(values.to_numpy())
    return objects(values.to_list())


def _inferred(values: npt.NDArray[np.object_], missing: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Objects as the one type that they have, else as objects with None where one is missing."""
    kinds = set(map(type, values[~missing].tolist()))
    wanted: str | None = None
    if kinds and all(issubclass(kind, bool | np.bool_) for kind in kinds):
        wanted = "?" if not missing.any() else "f8"
    elif kinds and all(issubclass(kind, int | np.integer) and kind is not bool for kind in kinds):
        wanted = "i8" if not missing.any() else "f8"
    elif kinds and all(issubclass(kind, NUMBERS) and kind is not bool for kind in kinds):
        wanted = "f8"
    elif kinds and all(issubclass(kind, datetime.date | np.datetime64) for kind in kinds):
        wanted = "M8[us]"
    elif kinds and all(issubclass(kind, datetime.timedelta | np.timedelta64) for kind in kinds):
        wanted = "m8[us]"
    if wanted is not None:
        typed = np.full(len(values), "NaT" if wanted[0] in "mM" else (np.nan if wanted == "f8" else 0), dtype=wanted)
        try:
            typed[~missing] = [_naive(value) for value in values[~missing]] if wanted[0] == "M" else values[~missing]
        except (OverflowError, TypeError, ValueError):
            pass
        else:
            return typed
    kept = values.copy()
    kept[missing] = None
    return kept


def _naive(value: Any) -> Any:
    """A time without a zone, in UTC."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        return np.datetime64(value, "us")
    return value
