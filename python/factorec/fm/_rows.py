"""Design matrices on their way to the core."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .. import _core
from .._to_csr import to_csr
from ..errors import DataError

__all__ = ["CsrTuple", "RowArrays", "as_csr", "as_csr_format", "as_index", "csr_tuple"]

CsrTuple = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.float32] | None, int]


@dataclass
class RowArrays:
    """Rows as the core reads them: blocks of (index or None, CSR tuple), in column order."""

    blocks: list[tuple[npt.NDArray[Any] | None, CsrTuple]]
    n_rows: int
    n_features: int
    # Fields of which two may span the training grid; empty: the core looks for them.
    grid_candidates: list[tuple[int, int]] = field(default_factory=list)
    # Field name -> (start, stop); empty: one field of all columns.
    field_ranges: dict[str, tuple[int, int]] = field(default_factory=dict)
    # Threads of what is computed from the rows here; no result depends on it.
    n_threads: int = 1

    @cached_property
    def grid(self) -> list[tuple[int, int]]:
        """The two one-hot fields that the training grid spans, or none."""
        return _core.choose_grid(self.blocks, self.n_rows, self.n_features, self.grid_candidates, self.n_threads)

    def id_features(self) -> npt.NDArray[np.bool_]:
        """Which features are in the fields of the grid; all where there is no grid."""
        grid = self.grid
        ids = np.full(self.n_features, not grid)
        for start, stop in grid:
            ids[start:stop] = True
        return ids

    def fingerprint(self) -> int:
        """A checksum of where every entry stands: the core trusts that, once it has checked it."""
        checksum = 0
        for index, (indptr, indices, _, _) in self.blocks:
            for array in (index, indptr, indices):
                checksum = checksum if array is None else crc32(array.data, checksum)
        return checksum

    @classmethod
    def of_matrix(cls, X: Any, field_ranges: dict[str, tuple[int, int]] | None = None) -> RowArrays:
        """A flat CSR matrix as one block."""
        ranges = dict(field_ranges or {})
        return cls(
            [(None, csr_tuple(X))],
            int(X.shape[0]),
            int(X.shape[1]),
            list(ranges.values()),
            ranges,
        )


def csr_tuple(X: Any) -> CsrTuple:
    """The arrays of a CSR matrix; none is copied where they are int32 or int64 and contiguous."""
    return (_index(X.indptr), _index(X.indices), np.ascontiguousarray(X.data, np.float32), int(X.shape[1]))


def _index(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype not in (np.int32, np.int64):
        values = values.astype(np.int64)
    return np.ascontiguousarray(values)


def as_index(values: Any, name: str) -> npt.NDArray[Any]:
    """A vector of int32 or int64; a vector of them is used as it is."""
    index = np.asarray(values)
    if index.ndim != 1 or (index.dtype.kind not in "iu" and len(index)):
        raise DataError(f"{name} must be a vector of integers")
    return _index(index)


def as_csr_format(X: Any, name: str = "X") -> Any:
    """A sparse matrix of any format as CSR; positions outside are an error that names it."""
    try:
        return to_csr(X)
    except ValueError as error:
        raise DataError(f"{name}: {error}") from None


def as_csr(X: Any, *, name: str = "X", n_features: int | None = None, n_threads: int = 1) -> Any:
    """Bring rows into CSR float32 with every entry checked and no column twice in a row.

    Parameters
    ----------
    X : sparse matrix, sparse array or array-like, shape (n_rows, n_features)
        float32 CSR with int32 or int64 indices is used as it is, in whatever order its entries are.
    name : str
        What the errors call it.
    n_features : int, optional
        The number of columns that it must have.
    n_threads : int, default=1
        Threads of the check.

    Returns
    -------
    csr_matrix or csr_array of float32

    Raises
    ------
    DataError
        If it is not a matrix of finite numbers, has another number of columns, or its index arrays do not
        describe a matrix.
    """
    matrix: Any
    if sp.issparse(X):
        matrix = as_csr_format(X, name)
    else:
        dense = np.asarray(X)
        if dense.ndim != 2:
            raise DataError(f"{name} must be a matrix (2 dimensions), got {dense.ndim} dimensions")
        if dense.dtype.kind not in "biuf":
            raise DataError(f"{name} must hold numbers, got dtype {dense.dtype}")
        if not np.isfinite(dense).all():
            row, column = np.argwhere(~np.isfinite(dense))[0]
            raise DataError(f"{name}: row {row}, column {column} is {dense[row, column]}")
        with np.errstate(over="ignore"):  # scipy knows neither float16 nor foreign byte orders
            matrix = sp.csr_array(dense.astype(np.float32, copy=False))
    if n_features is not None and matrix.shape[1] != n_features:
        raise DataError(f"{name} has {matrix.shape[1]} columns, the model has {n_features} features")
    if matrix.dtype != np.float32:
        if matrix.dtype.kind not in "biuf":
            raise DataError(f"{name} must hold numbers, got dtype {matrix.dtype}")
        # float64 may overflow float32: the check below then says so.
        with np.errstate(over="ignore"):
            matrix = matrix.astype(np.float32)
    try:
        has_duplicates, _ = _core.check_csr(csr_tuple(matrix), n_threads)
    except ValueError as error:
        raise DataError(f"{name}: {error}") from None
    if has_duplicates:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix
