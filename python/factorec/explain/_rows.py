"""Rows of the model seen from one feature: the score as a linear function of that feature's own vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

from .._to_csr import to_csr
from ..errors import DataError

__all__ = [
    "Array",
    "OwnVectorRows",
    "Parameters",
    "as_rows",
    "own_vector_rows",
    "pair_rows",
    "query_border",
    "stack_rows",
]

Array = npt.NDArray[np.float64]


class Parameters(Protocol):
    """What this package needs of a factorization machine: `fm.FMParameters` or anything alike."""

    @property
    def bias(self) -> float: ...

    @property
    def linear(self) -> npt.NDArray[Any]: ...

    @property
    def factors(self) -> npt.NDArray[Any]: ...


@dataclass(frozen=True, slots=True)
class OwnVectorRows:
    """``score = rest + slope' v`` with ``v`` the own vector of each row's feature.

    Attributes
    ----------
    slope : ndarray of shape (n, k)
        ``x_u (V'x - v_u x_u)``: for ids alone, the vector of the item.
    rest : ndarray of shape (n,)
        The score at ``v = 0``.
    level : ndarray of shape (n,)
        ``rest`` without the bias and the own linear weight: for ids alone, the linear weight of the item.
    """

    slope: Array
    rest: Array
    level: Array

    def __getitem__(self, rows: slice) -> OwnVectorRows:
        return OwnVectorRows(self.slope[rows], self.rest[rows], self.level[rows])


def as_rows(X: Any, n_features: int, name: str) -> sparse.csr_matrix:
    """`X` as CSR of full width, checked."""
    if np.ndim(X) != 2:
        raise DataError(f"{name} must be two-dimensional, one row per example, got {np.ndim(X)} dimension(s)")
    try:
        rows: sparse.csr_matrix = to_csr(X) if sparse.issparse(X) else sparse.csr_matrix(X)
        rows.check_format(full_check=True)
    except ValueError as error:
        raise DataError(f"{name}: {error}") from None
    if rows.shape[1] != n_features:
        raise DataError(f"{name} has {rows.shape[1]} columns for {n_features} features: give rows of full width")
    return rows


def stack_rows(blocks: Sequence[sparse.csr_matrix]) -> sparse.csr_matrix:
    """Copy the rows of all blocks into one CSR, float64."""
    counts = np.concatenate([np.diff(block.indptr) for block in blocks])
    indptr = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=indptr[1:])
    # A CSR may hold room beyond its last row.
    ends = [(int(block.indptr[0]), int(block.indptr[-1])) for block in blocks]
    indices = np.concatenate([b.indices[start:stop] for b, (start, stop) in zip(blocks, ends, strict=True)])
    data = np.concatenate([b.data[start:stop] for b, (start, stop) in zip(blocks, ends, strict=True)])
    return sparse.csr_matrix(
        (data.astype(np.float64), indices, indptr), shape=(len(counts), blocks[0].shape[1]), copy=False
    )


def pair_rows(x_query: sparse.csr_matrix, X_items: sparse.csr_matrix) -> sparse.csr_matrix:
    """One query row joined with every item row: ``x_query + X_items[i]``, float64.

    Parameters
    ----------
    x_query : csr_matrix of shape (1, n_features)
    X_items : csr_matrix of shape (n_items, n_features)
        Columns other than those of `x_query`.

    Returns
    -------
    csr_matrix of shape (n_items, n_features)

    Examples
    --------
    >>> user = sparse.csr_matrix([[0, 1, 0, 0]])
    >>> items = sparse.csr_matrix([[0, 0, 1, 0], [0, 0, 0, 1]])
    >>> pair_rows(user, items).toarray()
    array([[0., 1., 1., 0.],
           [0., 1., 0., 1.]])
    """
    n_query = x_query.nnz
    lengths = np.diff(X_items.indptr) + n_query
    indptr = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=indptr[1:])
    at = (indptr[:-1, None] + np.arange(n_query)).ravel()
    is_item = np.ones(indptr[-1], dtype=bool)
    is_item[at] = False
    indices = np.empty(indptr[-1], dtype=np.int64)
    data = np.empty(indptr[-1], dtype=np.float64)
    items = slice(X_items.indptr[0], X_items.indptr[-1])
    indices[at] = np.tile(x_query.indices[: x_query.indptr[-1]], len(lengths))
    data[at] = np.tile(x_query.data[: x_query.indptr[-1]], len(lengths))
    indices[is_item] = X_items.indices[items]
    data[is_item] = X_items.data[items]
    return sparse.csr_matrix((data, indices, indptr), shape=X_items.shape, copy=False)


def own_vector_rows(
    p: Parameters,
    blocks: Sequence[sparse.csr_matrix],
    feature: Sequence[int],
    names: Sequence[str],
) -> OwnVectorRows:
    """Take the score of every row of every block apart.

    Parameters
    ----------
    p : Parameters
    blocks : sequence of csr_matrix of shape (., n_features)
        Left as they are.
    feature : sequence of int
        For each block, the column whose own vector is free.
    names : sequence of str
        What each block is, for messages.

    Returns
    -------
    OwnVectorRows
        Of the blocks' rows, one after the other.
    """
    X = stack_rows(blocks)
    heights = [block.shape[0] for block in blocks]
    feature_of_row = np.repeat(np.asarray(feature, dtype=np.intp), heights)
    if not X.has_canonical_format:  # the squares below need one entry per column
        X.sum_duplicates()
    lengths = np.diff(X.indptr)
    own = X.indices == np.repeat(feature_of_row, lengths)
    row_of_own = np.repeat(np.arange(X.shape[0]), lengths)[own]
    value = np.zeros(X.shape[0])
    value[row_of_own] = X.data[own]
    if not value.all():  # also catches rows without any entry
        row = int(np.flatnonzero(value == 0)[0])
        raise DataError(
            f"{_place(row, heights, names)} does not hold the user's own feature (column "
            f"{feature_of_row[row]}); only rows that do have a score that depends on the user's vector"
        )
    if not np.isfinite(X.data).all():
        row = int(np.searchsorted(X.indptr, np.argmin(np.isfinite(X.data)), side="right")) - 1
        raise DataError(f"{_place(row, heights, names)} holds NaN or an infinite value")
    used, columns = np.unique(X.indices, return_inverse=True)
    border = query_border(p)
    if used[0] < 0 or used[-1] >= X.shape[1]:
        raise DataError(f"{' or '.join(dict.fromkeys(names))} holds a column outside 0..{X.shape[1] - 1}")
    factors = p.factors[used].astype(np.float64)
    linear = p.linear[used].astype(np.float64)
    data = np.where(own, 0.0, X.data)
    rest_of_row = sparse.csr_matrix((data, columns, X.indptr), shape=(X.shape[0], len(used)), copy=False)
    level = np.asarray(rest_of_row @ linear)
    if border is None:
        sums = np.asarray(rest_of_row @ factors)
        level += 0.5 * np.einsum("ij,ij->i", sums, sums)
        rest_of_row.data = data * data
        level -= 0.5 * (rest_of_row @ np.einsum("ij,ij->i", factors, factors))
    else:
        is_query = (used < border)[:, None]
        of_query, of_item = (np.asarray(rest_of_row @ (factors * side)) for side in (is_query, ~is_query))
        level += np.einsum("ij,ij->i", of_query, of_item)
        sums = np.where((feature_of_row < border)[:, None], of_item, of_query)
    rest = level + (float(p.bias) + value * p.linear[feature_of_row].astype(np.float64))
    if not (value == 1.0).all():
        sums *= value[:, None]
    return OwnVectorRows(sums, rest, level)


def query_border(p: Parameters) -> int | None:
    """The first item column, if only pairs of a query's and an item's feature interact; None if all pairs do."""
    if getattr(p, "interactions", "all") == "all":
        return None
    border = getattr(p, "n_query_features", None)
    if border is None:
        raise DataError("parameters with interactions='bipartite' need n_query_features, which tells the sides apart")
    return int(border)


def _place(row: int, heights: Sequence[int], names: Sequence[str]) -> str:
    """Where a row of the stack came from, in words."""
    block = int(np.searchsorted(np.cumsum(heights), row, side="right"))
    return f"{names[block]}: row {row - sum(heights[:block])}"
