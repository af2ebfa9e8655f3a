"""Columns of ids: any column to int64 or strings, to distinct ids and codes, and to places in a list of ids.

Where pyarrow is installed it does the hashing, and strings stay in its memory layout; otherwise numpy and
Python do, slower, with the same results. Strings are ordered by code point, which is the order of their UTF-8
bytes.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from ..errors import DataError
from .tables import to_array

try:
    import pyarrow as pa
    import pyarrow.compute as pc
except ImportError:
    pa = pc = None

__all__ = ["Ids", "as_ids", "factorize", "is_missing", "kind_of", "locate", "pa", "pc", "plain"]

Integers: TypeAlias = npt.NDArray[np.int64]
Ids: TypeAlias = Any  # int64 array, object array of str, or (where pyarrow is installed) a pyarrow large_string array
MISSING = "has no id"
WHAT_TO_DO = "{} are integers or strings: convert the column"
NATS = (np.datetime64, np.timedelta64)
FEW = 64  # fewer ids than 1 in 64 of the known ones are searched for by bisection


class _Fault(Exception):
    """What is wrong with a value, where it stands, and why that is no id."""

    def __init__(self, text: str, row: int | None = None, why: str = "") -> None:
        super().__init__(text, row, why)
        self.text, self.row, self.why = text, row, why


def as_ids(
    values: nw.Series[Any] | npt.NDArray[Any],
    name: object,
    *,
    rows: npt.NDArray[np.integer[Any]] | None = None,
    what: str = "ids",
) -> Ids:
    """Check that a column holds integers or strings, none missing.

    Parameters
    ----------
    values : narwhals.Series or ndarray of shape (n,)
    name : object
        The column's name, for messages.
    rows : ndarray of shape (n,), optional
        Where in the column each value stands, for messages; None: in order.
    what : str
        What messages call the values.

    Returns
    -------
    ndarray of shape (n,), int64 or object, or pyarrow array of strings

    Raises
    ------
    DataError
        If an id is missing, or neither an integer of 64 bits nor a string. Floats pass where they are whole
        numbers (a table of floats has them), categories as what they stand for.
    """
    try:
        return _from_numpy(values) if isinstance(values, np.ndarray) else _from_series(values)
    except _Fault as fault:
        text = fault.text
        if fault.row is not None:
            text += f" in row {fault.row if rows is None else rows[fault.row]} (counting from 0)"
        advice = "drop such rows or fill in an id" if fault.text == MISSING else WHAT_TO_DO.format(what)
        raise DataError(f"column {name!r} {text}{fault.why}; {advice}") from None


def _from_series(values: nw.Series[Any]) -> Ids:
    dtype = values.dtype
    if dtype != nw.Object and values.null_count() > 0:
        raise _Fault(MISSING, int(np.argmax(values.is_null().to_numpy())))
    if isinstance(dtype, nw.Categorical | nw.Enum) and pa is not None:
        arrow = values.to_arrow()
        try:
            return _from_arrow(arrow.cast(arrow.type.value_type))
        except pa.ArrowException:  # categories that are neither integers nor strings: intervals, say
            raise _Fault(f"holds categories of type {arrow.type.value_type}") from None
    if isinstance(dtype, nw.String) and pa is not None:
        return _from_arrow(values.to_arrow())
    if dtype.is_numeric() or isinstance(dtype, nw.String | nw.Object | nw.Categorical | nw.Enum):
        return _from_numpy(to_array(values))
    if len(values) == 0:
        return np.empty(0, dtype=np.int64)
    raise _Fault(f"holds values of type {dtype}")


def _from_arrow(array: Any) -> Ids:
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        array = array.cast(pa.large_string())
        return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return _from_numpy(array.to_numpy(zero_copy_only=False) if isinstance(array, pa.Array) else array.to_numpy())


def _from_numpy(values: npt.NDArray[Any]) -> Ids:
    kind = values.dtype.kind
    if kind == "i" or (kind == "u" and values.dtype.itemsize < 8):
        return values.astype(np.int64, copy=False)
    if kind == "u":
        _refuse(values > np.iinfo(np.int64).max, values, "more than 64 bits with sign can hold")
        return values.astype(np.int64)
    if kind == "f":
        if (missing := np.isnan(values)).any():
            raise _Fault(MISSING, int(np.argmax(missing)))
        whole = (np.trunc(values) == values) & (np.abs(values) <= 2.0**53)
        _refuse(~whole, values, "not a whole number")
        return values.astype(np.int64)
    if kind in "UT":
        return _from_objects(values.astype(object))
    if kind == "O":
        return _from_objects(values)
    raise _Fault(f"holds values of type {values.dtype}")


def _from_objects(values: npt.NDArray[np.object_]) -> Ids:
    if pa is not None:
        try:
            found = pa.array(values, from_pandas=True)
        except (pa.ArrowException, OverflowError, UnicodeError):
            pass  # the passes below are slower and find the reason
        else:
            if found.null_count == 0 and (pa.types.is_string(found.type) or pa.types.is_int64(found.type)):
                return _from_arrow(found)
    listed = values.tolist()
    kinds = {_kind(t) for t in set(map(type, listed))}
    if kinds <= {"string"}:
        return _strings(values)
    if kinds == {"integer"}:
        try:
            return values.astype(np.int64)
        except OverflowError:
            outside = np.array([not -(2**63) <= value < 2**63 for value in listed])
            _refuse(outside, values, "more than 64 bits with sign can hold")
    for row, value in enumerate(listed):
        if is_missing(value):
            raise _Fault(MISSING, row)
    if kinds <= {"integer", "float"}:
        return _from_numpy(values.astype(np.float64))
    wanted = _kind(type(listed[0]))
    row = next(row for row, value in enumerate(listed) if _kind(type(value)) != wanted or wanted == "other")
    raise _Fault(f"holds {listed[row]!r} ({type(listed[row]).__name__})", row)


def _kind(t: type) -> str:
    if issubclass(t, str):
        return "string"
    if issubclass(t, int | np.integer) and t is not bool:
        return "integer"
    return "float" if issubclass(t, float | np.floating) else "other"


def _strings(values: npt.NDArray[np.object_]) -> Ids:
    try:
        "".join(set(values.tolist())).encode()
    except UnicodeEncodeError:
        wrong = np.array([value.encode(errors="ignore") != value.encode(errors="replace") for value in values])
        _refuse(wrong, values, "which UTF-8 cannot encode")
    return values


def is_missing(value: object) -> bool:
    """Whether a single value stands for none: None, NaN, NaT or pandas' NA."""
    if isinstance(value, float | np.floating):
        return bool(value != value)
    if isinstance(value, NATS):
        return bool(np.isnat(value))
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _refuse(wrong: npt.NDArray[np.bool_], values: npt.NDArray[Any], why: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise _Fault(f"holds {values[row : row + 1].tolist()[0]!r}", row, f", {why}")


def kind_of(ids: Ids) -> str:
    """Say whether ids are ``"integers"`` or ``"strings"``."""
    return "integers" if isinstance(ids, np.ndarray) and ids.dtype.kind == "i" else "strings"


def plain(ids: Ids) -> npt.NDArray[Any]:
    """Return ids as numpy has them: int64, or str in an object array."""
    return ids if isinstance(ids, np.ndarray) else np.asarray(ids.to_numpy(zero_copy_only=False))


def factorize(ids: Ids) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp]]:
    """Return the distinct ids in ascending order, and the place of each id among them.

    Parameters
    ----------
    ids : as `as_ids` returns them, n of them

    Returns
    -------
    distinct : ndarray of shape (n_distinct,), int64 or object
    codes : ndarray of shape (n,), integers
    """
    if kind_of(ids) == "integers" and len(ids):
        low, high = int(ids.min()), int(ids.max())
        if high - low < _direct_limit(len(ids)):  # a table over the whole range costs less than hashing
            shifted = ids - low
            present = np.zeros(high - low + 1, dtype=bool)
            present[shifted] = True
            distinct = np.flatnonzero(present)
            place = np.empty(len(present), dtype=np.int32)
            place[distinct] = np.arange(len(distinct), dtype=np.int32)
            return distinct + low, place[shifted]
    if pa is not None:
        encoded = pa.array(ids).dictionary_encode()
        order = pc.sort_indices(encoded.dictionary).to_numpy()
        rank = np.empty(len(order), dtype=np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        return plain(encoded.dictionary.take(pa.array(order))), rank[encoded.indices.to_numpy()]
    if kind_of(ids) == "integers":
        return np.unique(ids, return_inverse=True)
    distinct = np.array(sorted(set(ids.tolist())), dtype=object)
    return distinct, _look_up(distinct, ids)


def locate(ids: Ids, known: npt.NDArray[Any], order: npt.NDArray[np.intp] | None) -> npt.NDArray[np.int64]:
    """Return the place of each id among the known ones, -1 for an unknown id.

    Parameters
    ----------
    ids : as `as_ids` returns them, n of them
    known : ndarray of shape (n_known,), int64 or object
        Distinct ids of the same kind.
    order : ndarray of shape (n_known,) or None
        What sorts `known`; None if it is sorted.

    Returns
    -------
    ndarray of shape (n,), int64
    """
    if len(ids) == 0 or len(known) == 0:
        return np.full(len(ids), -1, dtype=np.int64)
    if len(ids) * FEW < len(known):  # not worth looking at every known id
        values = plain(ids)
        near = np.minimum(np.searchsorted(known, values, sorter=order), len(known) - 1)
        places = near if order is None else order[near]
        return np.where(known[places] == values, places, -1).astype(np.int64)
    if kind_of(ids) == "integers":
        low, high = int(known.min()), int(known.max())
        if high - low < _direct_limit(len(ids) + len(known)):
            place = np.full(high - low + 1, -1, dtype=np.int32)
            place[known - low] = np.arange(len(known), dtype=np.int32)
            inside = (ids >= low) & (ids <= high)
            return np.where(inside, place[np.where(inside, ids - low, 0)], -1).astype(np.int64)
    if pa is not None:
        found = pc.index_in(pa.array(ids), value_set=pa.array(known))
        places = found.fill_null(-1).to_numpy()
        return np.asarray(places, dtype=np.int64)
    if kind_of(ids) == "integers":
        distinct, codes = np.unique(ids, return_inverse=True)
        near = np.minimum(np.searchsorted(known, distinct, sorter=order), len(known) - 1)
        places = near if order is None else order[near]
        return np.where(known[places] == distinct, places, -1)[codes].astype(np.int64)
    return _look_up(known, ids)


def _direct_limit(n: int) -> int:
    return min(4 * n + 1024, 2**31 - 1)


def _look_up(known: npt.NDArray[Any], ids: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    places = dict(zip(known.tolist(), range(len(known)), strict=True))
    return np.fromiter((places.get(value, -1) for value in ids.tolist()), np.int64, len(ids))
