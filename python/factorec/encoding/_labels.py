"""Columns of several labels a row: lists of any library, or strings with a separator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from ..errors import DataError
from . import _ids
from ._columns import read_categories
from ._ids import Ids, as_ids, factorize, is_missing, kind_of
from .tables import cells, objects

__all__ = ["Labels", "read_labels", "read_lists"]


@dataclass(frozen=True)
class Labels:
    """A column of labels, one after the other.

    Attributes
    ----------
    ids : int64 array, object array of str, or pyarrow array of strings, n_labels of them
    rows : ndarray of shape (n_labels,), int64
        The row of the table where each stands.
    present : ndarray, int64
        The rows of the table that are not missing; some may have no labels.
    n_rows : int
    """

    ids: Ids
    rows: npt.NDArray[np.int64]
    present: npt.NDArray[np.int64]
    n_rows: int


def read_labels(table: Any, name: Any, separator: str | None) -> Labels:
    """Read a column of labels.

    Raises
    ------
    DataError
        If there is no such column, it does not hold lists (or strings, with a separator), or a label is neither an
        integer nor a string.
    """
    if separator is None:
        return _from_arrow(cells(table, name), name) or _from_lists(read_lists(table, name), name)
    found = read_categories(table, name)
    if len(found.ids) and kind_of(found.ids) != "strings":
        raise DataError(f"column {name!r} holds integers; a separator= needs strings")
    distinct, codes = factorize(found.ids)  # each string is taken apart once
    parts = [[label for part in text.split(separator) if (label := part.strip())] for text in distinct.tolist()]
    lengths = np.fromiter(map(len, parts), np.int64, len(parts))
    labels = np.array([label for part in parts for label in part], dtype=object)
    starts = np.cumsum(lengths) - lengths
    counts = lengths[codes]
    ends = np.cumsum(counts)
    places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts[codes] - (ends - counts), counts)
    return Labels(labels[places], np.repeat(found.rows, counts), found.rows, found.n_rows)


def _from_arrow(values: Any, name: Any) -> Labels | None:
    """Take lists of strings or integers apart in pyarrow's memory; None for others, and without pyarrow."""
    pa = _ids.pa
    if pa is None:
        return None
    try:
        typed = isinstance(values, nw.Series) and values.dtype != nw.Object
        lists = values.to_arrow() if typed else pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, UnicodeError, ValueError):
        return None
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.combine_chunks()
    if not (pa.types.is_list(lists.type) or pa.types.is_large_list(lists.type)):
        return None
    labels, rows = lists.flatten(), _ids.pc.list_parent_indices(lists).to_numpy()
    if not (
        pa.types.is_integer(labels.type) or pa.types.is_string(labels.type) or pa.types.is_large_string(labels.type)
    ):
        return None
    there = labels.is_valid()
    rows = rows[there.to_numpy(zero_copy_only=False)].astype(np.int64)
    values = nw.from_native(pa.chunked_array([labels.filter(there)]), series_only=True)
    present = np.flatnonzero(lists.is_valid().to_numpy(zero_copy_only=False))
    return Labels(as_ids(values, name, rows=rows, what="labels"), rows, present, len(lists))


def _from_lists(lists: list[Any], name: Any) -> Labels:
    flat: list[Any] = []
    rows: list[int] = []
    present: list[int] = []
    for row, labels in enumerate(lists):
        if labels is None:
            continue
        present.append(row)
        kept = [label for label in labels if not is_missing(label)]
        flat += kept
        rows += [row] * len(kept)
    at = np.array(rows, dtype=np.int64)
    return Labels(
        as_ids(objects(flat), name, rows=at, what="labels"), at, np.array(present, dtype=np.int64), len(lists)
    )


def read_lists(table: Any, name: Any) -> list[Any]:
    """Read a column of lists, tuples, sets or arrays as a list of these, None where one is missing."""
    values = cells(table, name)
    lists: list[Any] = []
    for row, value in enumerate(values.to_list() if isinstance(values, nw.Series) else values):
        if value is None or isinstance(value, list | tuple | set | frozenset | np.ndarray):
            lists.append(value)
        elif hasattr(value, "as_py"):  # a scalar of pyarrow
            lists.append(value.as_py())
        elif hasattr(value, "to_list") and not isinstance(value, str):
            lists.append(value.to_list())
        elif is_missing(value):
            lists.append(None)
        else:
            hint = "; give separator=" if isinstance(value, str) else ""
            raise DataError(f"column {name!r} holds {value!r} in row {row} (counting from 0), not a list{hint}")
    return lists
