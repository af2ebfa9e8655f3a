"""One way to read a column, whatever kind of table it stands in.

Tables are data frames that narwhals knows (pandas, polars, pyarrow, …), mappings from names to columns, numpy
structured arrays, and two-dimensional numpy arrays, whose columns have integer names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt
from narwhals.exceptions import DuplicateError

from ..errors import DataError

__all__ = ["cells", "check_lengths", "column", "column_names", "n_rows", "objects", "series", "to_array"]


def column_names(table: Any) -> list[Any]:
    """Return the names of a table's columns, in order.

    Parameters
    ----------
    table : table
        Any of the kinds listed at the top of this module.

    Returns
    -------
    list

    Raises
    ------
    DataError
        If ``table`` is none of those kinds, or two of its columns have the same name.
    """
    if isinstance(table, Mapping):
        return list(table)
    if isinstance(table, np.ndarray):
        if table.dtype.names:
            return list(table.dtype.names)
        if table.ndim == 2:
            return list(range(table.shape[1]))
        raise DataError(f"an array used as a table needs 2 dimensions or named fields, got shape {table.shape}")
    return list(_frame(table).columns)


def n_rows(table: Any) -> int:
    """Return the number of rows of a table; see `column_names` for the kinds of table."""
    if isinstance(table, Mapping):
        return len(next(iter(table.values()))) if table else 0
    return len(table) if isinstance(table, np.ndarray) else len(_frame(table))


def check_lengths(table: Any, names: Iterable[Any]) -> None:
    """Raise `DataError` if columns of a table are of different lengths, as only those of a mapping can be."""
    if isinstance(table, Mapping):
        lengths, known = {}, list(table)  # a list takes names that cannot be hashed
        for name in names:
            if name in known:
                if not hasattr(table[name], "__len__"):
                    raise DataError(f"column {name!r} must be an array or a list, got {table[name]!r}")
                lengths[name] = len(table[name])
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{name!r} {length}" for name, length in lengths.items())
            raise DataError(f"the columns of a table must have equal length, got {counts}")


def column(table: Any, name: Any) -> npt.NDArray[Any]:
    """Return one column of a table as a numpy array.

    Parameters
    ----------
    table : table
        Any of the kinds listed at the top of this module.
    name : hashable
        The column's name; a position for two-dimensional arrays.

    Returns
    -------
    ndarray of shape (n_rows,)
        Strings and missing values come in an object array, as the table's library converts them.

    Raises
    ------
    DataError
        If the table has no such column, or the column is not one-dimensional.

    Examples
    --------
    >>> column({"user_id": [3, 1], "rating": [4.0, 5.0]}, "rating")
    array([4., 5.])
    """
    return to_array(series(table, name))


def series(table: Any, name: Any) -> nw.Series[Any] | npt.NDArray[Any]:
    """Return one column of a table, not converted; parameters and errors as `column`."""
    names = column_names(table)
    if name not in names:
        raise DataError(f"the table has no column {name!r}; its columns are {', '.join(map(repr, names))}")
    if isinstance(table, np.ndarray):
        return table[name] if table.dtype.names else table[:, name]
    if not isinstance(table, Mapping):
        return _plain(_frame(table).get_column(name))
    values = nw.from_native(table[name], series_only=True, pass_through=True)
    if isinstance(values, nw.Series):
        return _plain(values)
    try:
        array = to_array(table[name])
    except ValueError:  # lists of different lengths among other values
        array = objects(table[name])
    if array.ndim != 1:
        raise DataError(f"column {name!r} must have one dimension, got shape {array.shape}")
    return array


def _plain(values: nw.Series[Any]) -> nw.Series[Any]:
    """Turn pyarrow's views of strings, which its filters do not take and polars hands over, into large strings."""
    if values.implementation.is_pyarrow():
        native = values.to_native()
        if str(native.type) == "string_view":
            return nw.from_native(native.cast("large_string"), series_only=True)
    return values


def cells(table: Any, name: Any) -> nw.Series[Any] | npt.NDArray[Any]:
    """Return one column as `series` does; lists in it stay lists, in an array of objects."""
    values = table.get(name) if isinstance(table, Mapping) else None
    if isinstance(table, np.ndarray) and name in (table.dtype.names or ()):
        values = table[name]
    if isinstance(values, np.ndarray | list | tuple):
        try:
            plain = to_array(values).ndim == 1
        except ValueError:  # lists of different lengths
            plain = False
        if not plain:
            return objects(values)
    return series(table, name)


def objects(values: Iterable[Any]) -> npt.NDArray[np.object_]:
    """Put values in an array of objects, lists among them as they are."""
    listed = list(values)
    array = np.empty(len(listed), dtype=object)
    for place, value in enumerate(listed):  # numpy would take lists of one length apart
        array[place] = value
    return array


def to_array(values: Any) -> npt.NDArray[Any]:
    """Convert a series, a list or an array to a numpy array."""
    if isinstance(values, np.ma.MaskedArray):
        masked = np.ma.getmaskarray(values)
        return (
            objects(None if m else v for m, v in zip(masked, values.data.tolist(), strict=True))
            if masked.any()
            else values.data
        )
    if isinstance(values, np.ndarray):
        return values
    listed = values
    if isinstance(values, nw.Series):
        # numpy has no integers of 128 bits
        if not isinstance(values.dtype, nw.String | nw.Categorical | nw.Enum | nw.Int128 | nw.UInt128):
            return np.asarray(values.to_numpy())
        listed = values.to_list()
    array = np.asarray(listed)
    # numpy's own strings lose NULs at the end, and a list of numbers and strings would become strings
    return np.array(listed, dtype=object) if array.dtype.kind == "U" else array


def _frame(table: Any) -> nw.DataFrame[Any]:
    try:
        return nw.from_native(table, eager_only=True)
    except DuplicateError as error:
        raise DataError(f"columns of one name; rename them: {' '.join(str(error).split())}") from None
    except TypeError:
        kind = f"{type(table).__module__}.{type(table).__qualname__}"
        hint = "; collect() it first" if kind.endswith("LazyFrame") else ""
        raise DataError(
            "expected a table (data frame of pandas, polars or pyarrow, dict of columns, structured or "
            f"two-dimensional array), got {kind}{hint}"
        ) from None
