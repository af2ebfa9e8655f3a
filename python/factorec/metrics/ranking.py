"""Metrics of ranked lists, by the definitions of trec_eval [1]_.

All take the items of each user, best first, and the items that are relevant to them: those whose relevance is
above 0. The order of a list is taken as given: ties were broken by whoever made it. Means are over the users
who have a relevant item; the others cannot be judged and are left out.

References
----------
.. [1] https://github.com/usnistgov/trec_eval
"""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..errors import DataError

__all__ = ["map_at_n", "ndcg_at_n", "precision_at_n", "ranking_metrics", "recall_at_n"]

PerUser = npt.NDArray[np.float64]


@overload
def ranking_metrics(
    ids: npt.NDArray[np.integer[Any]],
    relevant: Any,
    n: int = ...,
    *,
    graded: bool = ...,
    average: Literal[True] = ...,
) -> dict[str, float]: ...
@overload
def ranking_metrics(
    ids: npt.NDArray[np.integer[Any]],
    relevant: Any,
    n: int = ...,
    *,
    graded: bool = ...,
    average: Literal[False],
) -> dict[str, PerUser]: ...
def ranking_metrics(
    ids: npt.NDArray[np.integer[Any]],
    relevant: Any,
    n: int = 10,
    *,
    graded: bool = False,
    average: bool = True,
) -> dict[str, float] | dict[str, PerUser]:
    """Measure the first n items of each user's list.

    Parameters
    ----------
    ids : ndarray of int, shape (n_users, at least n)
        Positions of items, best first, -1 where a list is shorter. As `ItemIndex.search` returns them.
    relevant : sparse matrix of shape (n_users, n_items)
        Above 0 where an item is relevant to a user.
    n : int
        How many items of each list count.
    graded : bool
        Whether the values of `relevant` are the gains of NDCG; else every relevant item has gain 1.
    average : bool
        Whether to return means over users, or one value per user.

    Returns
    -------
    dict of str to float, or to ndarray of shape (n_users,)
        ``"precision@n"``, ``"recall@n"``, ``"map@n"`` and ``"ndcg@n"``, with n's value in the name. A user
        without relevant items has NaN; so has the mean if there is no other user.

    Raises
    ------
    DataError
        If shapes do not fit, an item is out of range or twice in a list, or a relevance is NaN or infinite.

    Examples
    --------
    >>> ids = np.array([[0, 1, 2], [2, 0, -1]])
    >>> relevant = sp.csr_matrix([[0, 1, 0, 1], [0, 0, 1, 0]])
    >>> {name: round(value, 4) for name, value in ranking_metrics(ids, relevant, n=2).items()}
    {'precision@2': 0.5, 'recall@2': 0.75, 'map@2': 0.625, 'ndcg@2': 0.6934}
    """
    lists = _Lists(ids, relevant, n)
    values = {
        "precision": _precision(lists),
        "recall": _recall(lists),
        "map": _average_precision(lists),
        "ndcg": _ndcg(lists, graded),
    }
    if average:
        return {f"{name}@{n}": lists.mean(per_user) for name, per_user in values.items()}
    return {f"{name}@{n}": np.where(lists.judged, per_user, np.nan) for name, per_user in values.items()}


def precision_at_n(ids: npt.NDArray[np.integer[Any]], relevant: Any, n: int = 10) -> float:
    """Mean share of relevant items among the first n; a shorter list is divided by n all the same.

    Parameters
    ----------
    ids : ndarray of integers, shape (n_users, at least n)
        Listed item positions, best first, padded with -1; errors are those of `ranking_metrics`.
    relevant : sparse matrix of shape (n_users, n_items)
        Positive entries are relevant.
    n : int

    Returns
    -------
    float
        From 0 to 1, the mean over users with a relevant item; NaN if there is none.

    Examples
    --------
    >>> precision_at_n(np.array([[0, 1, -1, -1]]), sp.csr_matrix([[0, 1, 0, 1]]), n=4)
    0.25
    """
    lists = _Lists(ids, relevant, n)
    return lists.mean(_precision(lists))


def recall_at_n(ids: npt.NDArray[np.integer[Any]], relevant: Any, n: int = 10) -> float:
    """Mean share of a user's relevant items that are among the first n.

    Parameters
    ----------
    ids : ndarray of integers, shape (n_users, at least n)
        Listed item positions, best first, padded with -1; errors are those of `ranking_metrics`.
    relevant : sparse matrix of shape (n_users, n_items)
        Positive entries are relevant.
    n : int

    Returns
    -------
    float
        From 0 to 1, the mean over users with a relevant item; NaN if there is none.

    Examples
    --------
    >>> recall_at_n(np.array([[0, 1, -1, -1]]), sp.csr_matrix([[0, 1, 0, 1]]), n=4)
    0.5
    """
    lists = _Lists(ids, relevant, n)
    return lists.mean(_recall(lists))


def map_at_n(ids: npt.NDArray[np.integer[Any]], relevant: Any, n: int = 10) -> float:
    """Mean average precision: precision at the rank of each relevant item, 0 for those not among the first n.

    The sum is divided by the number of all relevant items (trec_eval's ``map_cut``), not by at most n.

    Parameters
    ----------
    ids : ndarray of integers, shape (n_users, at least n)
        Listed item positions, best first, padded with -1; errors are those of `ranking_metrics`.
    relevant : sparse matrix of shape (n_users, n_items)
        Positive entries are relevant.
    n : int

    Returns
    -------
    float
        From 0 to 1, the mean over users with a relevant item; NaN if there is none.

    Examples
    --------
    >>> map_at_n(np.array([[3, 0, 1, -1]]), sp.csr_matrix([[0, 1, 0, 1]]), n=4)
    0.8333333333333333
    """
    lists = _Lists(ids, relevant, n)
    return lists.mean(_average_precision(lists))


def ndcg_at_n(ids: npt.NDArray[np.integer[Any]], relevant: Any, n: int = 10, *, graded: bool = False) -> float:
    """Mean of the gains divided by log2(1 + rank), relative to the best order of the user's relevant items.

    Parameters
    ----------
    ids : ndarray of integers, shape (n_users, at least n)
        Listed item positions, best first, padded with -1; errors are those of `ranking_metrics`.
    relevant : sparse matrix of shape (n_users, n_items)
        Positive entries are relevant.
    n : int
    graded : bool
        Gains are the values of `relevant` instead of 1.

    Returns
    -------
    float
        From 0 to 1, the mean over users with a relevant item; NaN if there is none.

    Examples
    --------
    >>> round(ndcg_at_n(np.array([[0, 1]]), sp.csr_matrix([[0, 1]]), n=2), 4)
    0.6309
    """
    lists = _Lists(ids, relevant, n)
    return lists.mean(_ndcg(lists, graded))


class _Lists:
    """Checked input, and what every metric needs: the relevance of each listed item."""

    def __init__(self, ids: npt.NDArray[np.integer[Any]], relevant: Any, n: int) -> None:
        self.n = _check_n(n)
        self.relevant = _check_relevant(relevant)
        ids = _check_ids(np.asarray(ids), self.relevant.shape, n)[:, :n]
        self.n_relevant = np.diff(self.relevant.indptr)
        self.judged = self.n_relevant > 0
        self.gains = _look_up(self.relevant, ids)  # (n_users, n), 0 where not relevant
        self.hits = self.gains > 0

    def mean(self, per_user: PerUser) -> float:
        return float(per_user[self.judged].mean()) if self.judged.any() else float("nan")


def _precision(lists: _Lists) -> PerUser:
    return np.asarray(lists.hits.sum(axis=1) / lists.n)


def _recall(lists: _Lists) -> PerUser:
    return np.asarray(lists.hits.sum(axis=1) / np.maximum(lists.n_relevant, 1))


def _average_precision(lists: _Lists) -> PerUser:
    precision = np.cumsum(lists.hits, axis=1) / np.arange(1, lists.n + 1)
    total: PerUser = np.where(lists.hits, precision, 0.0).sum(axis=1)
    return total / np.maximum(lists.n_relevant, 1)


def _ndcg(lists: _Lists, graded: bool) -> PerUser:
    discount = 1 / np.log2(np.arange(2, lists.n + 2))
    relevant = lists.relevant
    gains = lists.gains if graded else lists.hits
    user = np.repeat(np.arange(relevant.shape[0]), lists.n_relevant)
    best = relevant.data.astype(np.float64) if graded else np.ones(relevant.nnz)
    order = np.lexsort((-best, user))  # each user's gains, largest first
    rank = np.arange(relevant.nnz) - np.repeat(relevant.indptr[:-1], lists.n_relevant)
    counts = rank < lists.n
    ideal = np.bincount(user[counts], best[order][counts] * discount[rank[counts]], minlength=relevant.shape[0])
    return np.asarray(gains @ discount / np.where(lists.judged, ideal, 1.0))


def _check_n(n: int) -> int:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise DataError(f"n must be a positive integer, got {n!r}")
    return int(n)


def _check_relevant(relevant: Any) -> sp.csr_matrix:
    """Positive entries only, columns ascending, in a copy."""
    is_sparse: bool = sp.issparse(relevant)
    if not is_sparse or len(relevant.shape) != 2:
        raise DataError(f"relevant must be a sparse matrix, got {type(relevant).__name__}")
    matrix: sp.csr_matrix = sp.csr_matrix(relevant.astype(np.float64, copy=True))
    if not np.isfinite(matrix.data).all():
        raise DataError("relevant holds a value that is not finite")
    matrix.sum_duplicates()
    matrix.data[matrix.data < 0] = 0
    matrix.eliminate_zeros()
    return matrix


def _check_ids(ids: npt.NDArray[Any], shape: tuple[int, int], n: int) -> npt.NDArray[np.int64]:
    if ids.ndim != 2 or ids.dtype.kind not in "iu" or ids.shape[0] != shape[0]:
        raise DataError(
            f"ids must be integers of shape ({shape[0]}, at least {n}), got {ids.dtype} of shape {ids.shape}"
        )
    if ids.shape[1] < n:
        raise DataError(f"ids hold {ids.shape[1]} items of each user, too few for the first {n}")
    outside = (ids < -1) | (ids >= shape[1])
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise DataError(f"ids[{row}, {column}] is {ids[row, column]}, outside -1..{shape[1] - 1}")
    ordered = np.sort(ids, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if twice.any():
        row, column = np.argwhere(twice)[0]
        raise DataError(f"ids[{row}] holds item {ordered[row, column]} twice")
    return ids.astype(np.int64, copy=False)


def _look_up(matrix: sp.csr_matrix, columns: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """matrix[i, columns[i, j]], 0 for column -1."""
    n_rows, n_columns = matrix.shape
    row = np.repeat(np.arange(n_rows, dtype=np.int64), np.diff(matrix.indptr))
    stored = row * n_columns + matrix.indices  # ascending
    wanted = np.arange(n_rows, dtype=np.int64)[:, None] * n_columns + columns
    if stored.size == 0:
        return np.zeros(columns.shape)
    place = np.minimum(np.searchsorted(stored, wanted), stored.size - 1)
    found = (stored[place] == wanted) & (columns >= 0)
    return np.where(found, matrix.data[place], 0.0)
