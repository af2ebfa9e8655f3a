"""Sparse rows: picked, moved to their columns, put side by side, made distinct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack

__all__ = ["concatenate_rows", "distinct_rows", "empty_rows", "one_hot", "place", "side_by_side", "take_rows"]

Integers = npt.NDArray[np.integer[Any]]


def one_hot(index: Integers, n_columns: int) -> csr_matrix:
    """Return rows with a 1 in column `index`, zero rows where it is -1."""
    known = index >= 0
    indptr = np.concatenate([[0], np.cumsum(known)])
    columns = index[known]
    return csr_matrix((np.ones(len(columns), dtype=np.float32), columns, indptr), shape=(len(index), n_columns))


def empty_rows(n: int, n_columns: int) -> csr_matrix:
    """Return n rows of zeros."""
    return csr_matrix((np.empty(0, np.float32), np.empty(0, np.int32), np.zeros(n + 1, np.int32)), shape=(n, n_columns))


def take_rows(rows: csr_matrix, index: Integers) -> csr_matrix:
    """Return the rows at `index`, zero rows where it is -1."""
    return concatenate_rows([(rows, index)])


def concatenate_rows(parts: Sequence[tuple[csr_matrix, Integers]]) -> csr_matrix:
    """Return rows that are one row of each part after the other, as `index` says; -1 stands for an empty one.

    The parts are of the same width, and columns of a later one greater.
    """
    n, n_columns = len(parts[0][1]), parts[0][0].shape[1]
    starts, lengths = [], []
    for rows, index in parts:
        bounds = np.append(rows.indptr, rows.indptr[-1])  # so that -1 is an empty row, the last
        starts.append(bounds[index])
        lengths.append(bounds[np.where(index < 0, rows.shape[0], index) + 1] - starts[-1])
    indptr = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.sum(lengths, axis=0, dtype=np.int64), out=indptr[1:])
    indices = np.empty(indptr[-1], dtype=parts[0][0].indices.dtype)
    data = np.empty(indptr[-1], dtype=np.float32)
    ends = indptr[:-1].copy()
    for (rows, _), start, length in zip(parts, starts, lengths, strict=True):
        if (length == 1).all():
            target, source = ends, start
        else:
            within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
            target, source = np.repeat(ends, length) + within, np.repeat(start, length) + within
        indices[target] = rows.indices[source]
        data[target] = rows.data[source]
        ends = ends + length
    return csr_matrix((data, indices, indptr), shape=(n, n_columns))


def place(rows: csr_matrix, start: int, n_columns: int) -> csr_matrix:
    """Return the same rows with their columns moved to `start` of `n_columns`."""
    return csr_matrix((rows.data, rows.indices + start, rows.indptr), shape=(rows.shape[0], n_columns))


def side_by_side(parts: Sequence[csr_matrix]) -> csr_matrix:
    """Return the parts' columns one after the other, float32, sorted, without stored zeros."""
    rows = parts[0] if len(parts) == 1 else hstack(parts, format="csr", dtype=np.float32)
    rows = csr_matrix(rows)
    rows.sort_indices()
    rows.eliminate_zeros()
    return rows


def distinct_rows(rows: csr_matrix) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find the rows that are the same, to the bit.

    Parameters
    ----------
    rows : csr_matrix of shape (n, n_columns), float32, columns in ascending order

    Returns
    -------
    first : ndarray of shape (n_distinct,), int64
        Where each distinct row stands first; ascending.
    which : ndarray of shape (n,), int64
        The place of each row among the distinct ones.
    """
    n = rows.shape[0]
    lengths = np.diff(rows.indptr)
    representative = np.empty(n, dtype=np.int64)
    for length in np.unique(lengths).tolist():  # rows of one length are keys of one length
        members = np.flatnonzero(lengths == length)
        if length == 0:
            representative[members] = members[0]
            continue
        entries = rows.indptr[members][:, None] + np.arange(length)
        keys = np.concatenate(
            [rows.indices[entries].astype(np.int32), rows.data[entries].astype(np.float32).view(np.int32)], axis=1
        )
        as_one = np.int64 if length == 1 else np.dtype((np.void, keys.shape[1] * 4))
        packed = np.ascontiguousarray(keys).view(as_one).ravel()
        _, first, codes = np.unique(packed, return_index=True, return_inverse=True)
        representative[members] = members[first][codes]
    first, which = np.unique(representative, return_inverse=True)
    return first, which.astype(np.int64, copy=False)
