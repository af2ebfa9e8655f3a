"""Context: features of the query that belong to an interaction itself. Its entities are distinct rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, vstack

from ._sparse import distinct_rows
from .fields import Field

__all__ = ["context_entities", "find_entities"]


def context_entities(field: Field, table: Any) -> tuple[csr_matrix, npt.NDArray[np.int64]]:
    """Return the distinct rows of a field over a table, and which of them each row of the table has."""
    rows, which = field.distinct(table)
    occurs = np.zeros(rows.shape[0], dtype=bool)
    occurs[which] = True
    rows = rows[occurs]
    first, place = distinct_rows(rows)
    return rows[first], place[(np.cumsum(occurs) - 1)[which]]


def find_entities(known: csr_matrix, field: Field, table: Any) -> tuple[csr_matrix, npt.NDArray[np.int64]]:
    """Look a table's values up among known entities.

    Parameters
    ----------
    known : csr_matrix of shape (n_known, field.n_columns), distinct rows
    field : Field
    table : table

    Returns
    -------
    rows : csr_matrix
        `known`, then the distinct rows that are not among them.
    index : ndarray of shape (n_rows,), int64
    """
    rows, index = context_entities(field, table)
    if not rows.shape[0]:
        return known, index
    both = csr_matrix(vstack([known, rows], format="csr", dtype=np.float32))
    both.sort_indices()
    first, place = distinct_rows(both)
    n_known = known.shape[0]
    return (known if len(first) == n_known else both[first]), place[n_known:][index]
