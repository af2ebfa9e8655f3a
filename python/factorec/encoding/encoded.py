"""Encoded interactions: per side an index and the rows of its entities."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from ._sparse import concatenate_rows

__all__ = ["EncodedBlock", "EncodedTable"]


@dataclass(frozen=True)
class EncodedBlock:
    """One side of the interactions: which entity each row has, and the features of each entity.

    Attributes
    ----------
    name : str
        ``"user"``, ``"item"`` or the name of a context column.
    index : ndarray of shape (n_rows,), int32
        The entity of each row, -1 for an unknown user or item (never in a context).
    rows : csr_matrix of shape (n_entities, n_features), float32
        The features of each entity, over the columns of all blocks.
    field_ranges : dict of str to (int, int)
        The columns of each field of this block, from start to stop.

    Examples
    --------
    >>> from factorec.encoding import Encoder
    >>> table = {"user_id": ["ann", "bob", "ann"], "item_id": [10, 10, 30]}
    >>> users = Encoder().fit(table).encode(table).blocks[0]
    >>> users.name, users.index.tolist(), users.rows.shape, users.field_ranges
    ('user', [0, 1, 0], (2, 4), {'user_id': (0, 2)})
    """

    name: str
    index: npt.NDArray[np.int32]
    rows: csr_matrix
    field_ranges: dict[str, tuple[int, int]]

    def with_unknown(self) -> EncodedBlock:
        """Return a block in which unknown users or items are one more entity, without features."""
        if not (self.index < 0).any():
            return self
        n = self.rows.shape[0]
        indptr = np.append(self.rows.indptr, self.rows.indptr[-1])
        rows = csr_matrix((self.rows.data, self.rows.indices, indptr), shape=(n + 1, self.rows.shape[1]))
        return replace(self, index=np.where(self.index < 0, n, self.index).astype(np.int32), rows=rows)


@dataclass(frozen=True)
class EncodedTable:
    """Interactions as blocks, in the order of their columns.

    Attributes
    ----------
    blocks : tuple of EncodedBlock
        ``"user"``, context columns, ``"item"``.
    n_query_features : int
        Number of leading columns that belong to the query (user and context).
    n_features : int
    field_ranges : dict of str to (int, int)
        The columns of every field, from start to stop.

    Examples
    --------
    >>> from factorec.encoding import Encoder
    >>> table = {"user_id": ["ann", "bob", "ann"], "item_id": [10, 10, 30]}
    >>> encoded = Encoder().fit(table).encode(table)
    >>> [block.name for block in encoded.blocks], encoded.field_ranges
    (['user', 'item'], {'user_id': (0, 2), 'item_id': (2, 4)})
    """

    blocks: tuple[EncodedBlock, ...]
    n_query_features: int
    n_features: int
    field_ranges: dict[str, tuple[int, int]]

    def to_csr(self) -> csr_matrix:
        """Return the flat rows, shape (n_rows, n_features), float32, columns ascending."""
        return concatenate_rows([(block.rows, block.index) for block in self.blocks])
