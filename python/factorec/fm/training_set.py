"""Interactions as arrays: what estimators are fitted to besides a flat matrix."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..errors import DataError
from ._checks import check_fields, check_integer
from ._rows import RowArrays, as_csr, as_index, csr_tuple
from .sampling import NegativeSampling

__all__ = ["Block", "TrainingSet"]


@dataclass(frozen=True, eq=False)
class Block:
    """A part of every row that is stored once per distinct entity: a user, a context, an item.

    Parameters
    ----------
    name : str
        ``"user"`` for the first block of a training set, ``"item"`` for the last.
    index : ndarray of int32 or int64, shape (n_rows,)
        The entity of each interaction.
    rows : sparse of float32, shape (n_entities, n_features)
        The entities' features, in columns of the whole model.
    field_ranges : dict of str to (int, int)
        Field name -> (start, stop) of its columns, the id field first. Every entry is in one of them.

    Raises
    ------
    DataError
        If an index is not of integers or outside the entities, or an entry outside the fields.

    Examples
    --------
    Five ratings by three users, who own columns 0 to 2 of a model with 10:

    >>> import numpy as np, scipy.sparse as sp
    >>> users = Block("user", np.array([0, 0, 1, 2, 2]), sp.eye(3, 10, format="csr"), {"user_id": (0, 3)})
    >>> users.rows.shape, users.rows.dtype
    ((3, 10), dtype('float32'))
    """

    name: str
    index: npt.NDArray[Any]
    rows: Any
    field_ranges: dict[str, tuple[int, int]]

    def __post_init__(self) -> None:
        index = as_index(self.index, f"block {self.name!r}: index")
        rows = as_csr(self.rows, name=f"block {self.name!r}")
        if len(index) and (index.min() < 0 or index.max() >= rows.shape[0]):
            bad = int(np.flatnonzero((index < 0) | (index >= rows.shape[0]))[0])
            raise DataError(f"block {self.name!r}: index[{bad}] is {index[bad]}, outside 0..{rows.shape[0] - 1}")
        fields = check_fields(self.field_ranges, rows.shape[1], f"block {self.name!r}: field_ranges")
        if not fields:
            raise DataError(f"block {self.name!r}: field_ranges names no field")
        in_field = np.zeros(rows.shape[1], bool)
        for start, stop in fields.values():
            in_field[start:stop] = True
        outside = rows.indices[~in_field[rows.indices]]
        if len(outside):
            raise DataError(f"block {self.name!r} has an entry in column {outside[0]}, which is in none of its fields")
        object.__setattr__(self, "index", index)
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "field_ranges", fields)

    @property
    def span(self) -> tuple[int, int]:
        """First column of its fields, and the one after the last."""
        return min(s for s, _ in self.field_ranges.values()), max(s for _, s in self.field_ranges.values())


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Interactions in blocks: target and weight per interaction, features once per distinct entity.

    Row r of the design matrix is the blocks' parts one after the other; training on it gives the same bits as
    training on ``to_csr()`` with ``field_ranges``.

    Parameters
    ----------
    target : array-like, shape (n_rows,)
    blocks : sequence of Block
        In column order, the user's first and the item's last.
    weight : array-like, shape (n_rows,), optional
        Row weights, not negative; None: all 1.
    negatives : NegativeSampling, optional
        Unseen items drawn in every epoch; ``seen`` has a row per user entity and a column per item entity.

    Raises
    ------
    DataError
        If lengths or widths differ, blocks are not in column order, or a field name occurs twice.

    Examples
    --------
    >>> data = TrainingSet.from_ids([0, 0, 1], [0, 1, 1], [1, 0, 1], n_users=2, n_items=2)
    >>> data.to_csr().toarray()
    array([[1., 0., 1., 0.],
           [1., 0., 0., 1.],
           [0., 1., 0., 1.]], dtype=float32)
    """

    target: npt.NDArray[np.float64]
    blocks: Sequence[Block]
    weight: npt.NDArray[np.float32] | None = None
    negatives: NegativeSampling | None = None

    def __post_init__(self) -> None:
        target = np.asarray(self.target, np.float64)
        if target.ndim != 1:
            raise DataError(f"target must be a vector, got {target.ndim} dimensions")
        if not len(self.blocks):
            raise DataError("a training set needs at least one block")
        widths = {block.rows.shape[1] for block in self.blocks}
        if len(widths) != 1:
            raise DataError(f"the blocks have different numbers of columns: {sorted(widths)}")
        for block in self.blocks:
            if len(block.index) != len(target):
                raise DataError(f"block {block.name!r}: index has {len(block.index)} entries, target {len(target)}")
        for one, other in itertools.pairwise(self.blocks):
            if other.span[0] < one.span[1]:
                raise DataError(f"blocks {one.name!r} {one.span} and {other.name!r} {other.span}: columns must rise")
        names = [name for block in self.blocks for name in block.field_ranges]
        if len(set(names)) < len(names):
            raise DataError(f"two blocks have a field of the same name: {sorted(names)}")
        if self.weight is not None:
            weight = np.ascontiguousarray(self.weight, np.float32)
            if weight.shape != target.shape:
                raise DataError(f"weight has shape {weight.shape}, target {target.shape}")
            object.__setattr__(self, "weight", weight)
        if self.negatives is not None:
            shape = (self.blocks[0].rows.shape[0], self.blocks[-1].rows.shape[0])
            if len(self.blocks) < 2 or self.negatives.seen.shape != shape:
                raise DataError(f"negatives: seen has shape {self.negatives.seen.shape}, expected {shape}")
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "blocks", tuple(self.blocks))

    @classmethod
    def from_ids(
        cls,
        user_index: Any,
        item_index: Any,
        target: Any,
        *,
        n_users: int,
        n_items: int,
        weight: Any = None,
        negatives: NegativeSampling | None = None,
    ) -> TrainingSet:
        """A training set of ids alone: user columns 0..n_users-1, item columns after them.

        Parameters
        ----------
        user_index, item_index : array-like of int, shape (n_rows,)
        target : array-like, shape (n_rows,)
        n_users, n_items : int
        weight : array-like, shape (n_rows,), optional
        negatives : NegativeSampling, optional

        Returns
        -------
        TrainingSet
        """
        n_features = check_integer("n_users", n_users, low=1) + check_integer("n_items", n_items, low=1)

        def ids(name: str, index: Any, n: int, start: int) -> Block:
            columns = np.arange(start, start + n, dtype=np.int32)
            rows = sp.csr_array((np.ones(n, np.float32), columns, np.arange(n + 1, dtype=np.int32)), (n, n_features))
            return Block(name, np.asarray(index), rows, {name: (start, start + n)})

        blocks = [ids("user", user_index, n_users, 0), ids("item", item_index, n_items, n_users)]
        return cls(target, blocks, weight, negatives)

    @property
    def n_rows(self) -> int:
        """Number of interactions."""
        return len(self.target)

    @property
    def n_features(self) -> int:
        """Number of columns of the design matrix."""
        return int(self.blocks[0].rows.shape[1])

    @property
    def n_query_features(self) -> int:
        """Number of columns before those of the item block."""
        return self.blocks[-1].span[0]

    @property
    def field_ranges(self) -> dict[str, tuple[int, int]]:
        """Field name -> (start, stop), over all blocks."""
        return {name: span for block in self.blocks for name, span in block.field_ranges.items()}

    def take(self, rows: npt.NDArray[Any]) -> TrainingSet:
        """The training set of some of the rows; entities and negatives stay.

        Parameters
        ----------
        rows : ndarray of bool, shape (n_rows,), or of row numbers

        Returns
        -------
        TrainingSet
        """
        return replace(
            self,
            target=self.target[rows],
            blocks=[replace(block, index=block.index[rows]) for block in self.blocks],
            weight=None if self.weight is None else self.weight[rows],
        )

    def to_csr(self) -> Any:
        """The flat design matrix, csr_array of float32, shape (n_rows, n_features)."""
        parts = [block.rows[block.index] for block in self.blocks]
        # Blocks keep to rising columns, so their sum only puts entries side by side.
        lengths = sum(np.diff(part.indptr).astype(np.int64) for part in parts)
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        indices = np.empty(indptr[-1], np.int32 if self.n_features < 2**31 else np.int64)
        data = np.empty(indptr[-1], np.float32)
        at = indptr[:-1].copy()
        for part in parts:
            n = np.diff(part.indptr)
            places = np.repeat(at - part.indptr[:-1], n) + np.arange(part.nnz)
            indices[places] = part.indices
            data[places] = part.data
            at += n
        return sp.csr_array((data, indices, indptr), (self.n_rows, self.n_features))

    def row_arrays(self) -> RowArrays:
        """The rows for the core; the grid spans the id fields of the first and the last block."""
        ids = [next(iter(block.field_ranges.values())) for block in (self.blocks[0], self.blocks[-1])]
        return RowArrays(
            [(block.index, csr_tuple(block.rows)) for block in self.blocks],
            self.n_rows,
            self.n_features,
            ids,
            self.field_ranges,
        )
