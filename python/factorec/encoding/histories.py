"""Histories as rows: for each entity of one side, the entities of the other side that it was met with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

__all__ = ["histories", "longer_histories"]

Index = npt.NDArray[np.integer[Any]]


def histories(own: Index, other: Index, shape: tuple[int, int]) -> csr_matrix:
    """Return rows with 1/sqrt(n) in the n different columns of each entity.

    Parameters
    ----------
    own, other : ndarray of shape (n_rows,), integers
        By interaction: the entity, and the column of what it was met with. Rows where one is -1 are left out.
    shape : (int, int)
        Number of entities, number of columns.

    Returns
    -------
    csr_matrix of that shape, float32, columns ascending
    """
    known = (own >= 0) & (other >= 0)
    if not known.all():
        own, other = own[known], other[known]
    met = csr_matrix((np.ones(len(own), np.float32), (own, other)), shape=shape)
    met.sum_duplicates()
    return _weighted(met)


def longer_histories(before: csr_matrix, own: Index, other: Index, shape: tuple[int, int]) -> csr_matrix:
    """Return histories with further interactions; those of entities without any keep their bits."""
    added = histories(own, other, shape)
    indptr = np.concatenate([before.indptr, np.full(shape[0] - before.shape[0], before.indptr[-1])])
    both = csr_matrix((before.data, before.indices, indptr), shape=shape) + added  # all positive: nothing cancels
    both.sort_indices()
    return _weighted(both)


def _weighted(met: csr_matrix) -> csr_matrix:
    """Put the values in: they follow from the structure, so that growth in any number of steps gives the same bits."""
    counts = np.diff(met.indptr)
    value = (1 / np.sqrt(np.maximum(counts, 1))).astype(np.float32)
    met.data = np.repeat(value, counts)
    return met
