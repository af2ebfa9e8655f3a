"""Rows, labels and samples of the managed k-NN."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from .._to_csr import to_csr
from ..errors import DataError
from ..formats.knn_artifact import LARGEST_LABEL
from ._float32 import as_float32

__all__ = ["as_labels", "as_rows", "sample_positions"]


def as_rows(values: Any, name: str, n_features: int | None) -> Any:
    """Return a float32 matrix, dense or CSR, of ``n_features`` columns (None: any).

    All that a request or a training channel may hold is taken: float32, float64, integers.
    """
    rows: Any = values
    if sparse.issparse(values):
        try:
            rows = to_csr(rows)
            rows = sparse.csr_array(rows)  # its own checks, and no matrix semantics
            rows.check_format(full_check=True)
        except ValueError as error:
            raise DataError(f"{name}: {error}") from None
    else:
        rows = np.asarray(values)
    if rows.ndim != 2:
        raise DataError(f"{name} has {rows.ndim} dimension{'s'[: rows.ndim != 1]}, expected 2: one row per example")
    if rows.dtype.kind not in "fiu":
        raise DataError(f"{name} has dtype {rows.dtype}; give numbers")
    if n_features is not None and rows.shape[1] != n_features:
        raise DataError(f"{name} has {rows.shape[1]} columns, expected {n_features}")
    rows, bad = as_float32(rows)
    if bad is not None:
        row, column = bad
        raise DataError(f"{name}[{row}, {column}] is {rows[row, column]}: values must be finite float32 numbers")
    return rows


def as_labels(values: npt.ArrayLike, name: str, n_rows: int, *, exact: bool) -> npt.NDArray[np.float32]:
    """Return labels as float32; with ``exact`` they must lie where whole numbers stay what they are."""
    given = np.asarray(values)
    if given.shape == (n_rows, 1):
        given = given[:, 0]
    if given.shape != (n_rows,):
        raise DataError(f"{name} has shape {given.shape}, expected ({n_rows},): one label per row")
    if given.dtype.kind not in "fiub":
        raise DataError(f"{name} has dtype {given.dtype}; labels are numbers: number your classes or items")
    with np.errstate(over="ignore"):
        labels = given.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(labels))
    if bad.size:
        raise DataError(f"{name}[{bad[0]}] is {given[bad[0]]}: labels must be finite float32 numbers")
    if exact and (bad := np.flatnonzero((given > LARGEST_LABEL) | (given < -LARGEST_LABEL))).size:
        raise DataError(
            f"{name}[{bad[0]}] is {given[bad[0]]}: labels are stored as float32, which tells whole numbers apart up to "
            f"{LARGEST_LABEL} only; number what they stand for"
        )
    return labels


def sample_positions(n: int, size: int, random: np.random.RandomState) -> npt.NDArray[np.int64]:
    """Which of ``n`` rows a sample of ``size`` holds, ascending; all where there are no more.

    Reservoir sampling (Vitter 1985, algorithm R): each subset is equally likely.
    """
    if size >= n:
        return np.arange(n)
    places = random.randint(np.arange(size, n, dtype=np.int64) + 1)  # row i takes place 0..i, if that exists
    taken = np.flatnonzero(places < size)
    sample = np.arange(size)
    sample[places[taken]] = taken + size  # of those that take the same place the last stays
    return np.sort(sample)
