"""The columns of a table, checked, and their values as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError

__all__ = ["Columns", "check_columns", "to_text"]

Columns = dict[str, npt.NDArray[Any]]


def check_columns(columns: Mapping[str, npt.ArrayLike]) -> Columns:
    """Bring columns into the form of arrays of one length, or say which cannot be."""
    if not columns:
        raise DataError("a table needs at least one column")
    checked: Columns = {}
    length: int | None = None
    for name, values in columns.items():
        if not isinstance(name, str):
            raise DataError(f"column names must be strings, got {name!r}")
        array = _as_array(name, values)
        if length is None:
            length = len(array)
        elif len(array) != length:
            first = next(iter(checked))
            raise DataError(f"column {name!r} has {len(array)} rows, column {first!r} has {length}")
        checked[name] = array
    return checked


def _as_array(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    # A list of strings, or of mixed values, goes through objects: numpy would turn [1, "a"] into strings.
    array = np.asarray(values)
    if not hasattr(values, "dtype") and array.dtype.kind not in "iufb":
        array = np.array(values, dtype=object)
    if array.ndim != 1:
        raise DataError(f"column {name!r} must be one-dimensional, got shape {array.shape}")
    if array.dtype.kind not in "iufbUO":
        raise DataError(f"column {name!r} has dtype {array.dtype}; only numbers, booleans and text can be written")
    if array.dtype.kind == "O":
        _check_objects(name, array)
    return array


_SCALARS = (str, bool, int, float, np.bool_, np.integer, np.floating, type(None))


def _check_objects(name: str, array: npt.NDArray[Any]) -> None:
    values = array.tolist()
    bad = {kind for kind in set(map(type, values)) if not issubclass(kind, _SCALARS)}
    if bad:
        row = next(row for row, value in enumerate(values) if type(value) in bad)
        kind = type(values[row]).__name__
        raise DataError(f"column {name!r}, row {row}: {kind} cannot be written; only numbers, booleans and text can")


def to_text(array: npt.NDArray[Any], *, text: Callable[[str], str], null: str) -> list[str]:
    """Turn each value into its text; `null` for ``None`` and numbers that are not finite.

    Parameters
    ----------
    array : ndarray
        As `check_columns` returns it.
    text : callable
        How a string is quoted.
    null : str
    """
    kind = array.dtype.kind
    if kind in "iu":
        return list(map(str, array.tolist()))
    if kind == "b":
        return ["true" if value else "false" for value in array.tolist()]
    if kind == "f":
        # Scalars of numpy print with the fewest digits that give the value of *their* type back.
        cells = list(map(str, array))
        for row in np.flatnonzero(~np.isfinite(array)).tolist():
            cells[row] = null
        return cells
    if kind == "U":
        return list(map(text, array.tolist()))
    return [_object_to_text(value, text, null) for value in array.tolist()]


def _object_to_text(value: Any, text: Callable[[str], str], null: str) -> str:
    if isinstance(value, str):
        return text(value)
    if value is None:
        return null
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    return str(value) if math.isfinite(value) else null
