"""Brings the arguments of a search into the form that the core takes, or says what is wrong with them."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from .._to_csr import to_csr
from ..errors import DataError

__all__ = ["allowed_items", "as_matrix", "as_positive", "as_rows", "as_vector", "item_mask"]

Csr = tuple[npt.NDArray[Any], npt.NDArray[Any], None, int]


def _as_float32(values: Any, name: str) -> npt.NDArray[np.float32]:
    array = np.asarray(values)
    if array.dtype not in (np.float32, np.float64):
        raise DataError(f"{name} has dtype {array.dtype}; give float32, or float64, which is rounded to float32")
    with np.errstate(over="ignore"):  # what becomes infinite is reported by the core, with its position
        return np.ascontiguousarray(array, dtype=np.float32)


def as_matrix(values: Any, name: str) -> npt.NDArray[np.float32]:
    """Return a C-contiguous float32 matrix, the array itself where it is one."""
    if sparse.issparse(values):
        raise DataError(f"{name} is sparse; give a dense array")
    array = np.asarray(values)
    if array.ndim != 2:
        hint = f"; a single row has the shape (1, {array.size})" if array.ndim == 1 else ""
        raise DataError(f"{name} has {array.ndim} dimension{'s'[: array.ndim != 1]}, expected 2{hint}")
    return _as_float32(array, name)


def as_vector(values: Any, name: str, length: int) -> npt.NDArray[np.float32]:
    """Return a C-contiguous float32 vector of the given length."""
    array = np.asarray(values)
    if array.shape != (length,):
        raise DataError(f"{name} has shape {array.shape}, expected ({length},): one value per item")
    return _as_float32(array, name)


def as_positive(value: Any, name: str) -> int:
    """Return an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise DataError(f"{name} must be an integer of at least 1, got {value!r}")
    return int(value)


def as_rows(given: Any, name: str, shape: tuple[int, int]) -> Csr:
    """Return the structure of a sparse matrix as the core takes CSR; a CSR matrix is not copied."""
    matrix: Any = given  # issparse would narrow it to a type without attributes
    if not sparse.issparse(given):
        raise DataError(f"{name} must be a scipy sparse matrix of shape {shape}, got {type(given).__name__}")
    if matrix.ndim != 2 or matrix.shape != shape:
        raise DataError(f"{name} has shape {matrix.shape}, expected {shape}: a row per query, a column per item")
    try:
        csr: Any = to_csr(matrix)
    except ValueError as error:
        raise DataError(f"{name}: {error}") from None
    indptr, indices = np.ascontiguousarray(csr.indptr), np.ascontiguousarray(csr.indices)
    return indptr, indices, None, shape[1]


def item_mask(items: Any, name: str, n_items: int) -> npt.NDArray[np.bool_]:
    """Return a mask over items from a mask or from positions, in any order, repeated or not."""
    array = np.asarray(items)
    if array.ndim != 1:
        raise DataError(f"{name} has {array.ndim} dimensions, expected 1: item positions, or a mask over items")
    if array.dtype == np.bool_:
        if len(array) != n_items:
            raise DataError(f"{name} is a mask of {len(array)} entries for {n_items} items")
        return array
    if array.size == 0:
        return np.zeros(n_items, dtype=np.bool_)
    if not np.issubdtype(array.dtype, np.integer):
        raise DataError(f"{name} has dtype {array.dtype}; give integer item positions, or a boolean mask over items")
    outside = np.flatnonzero((array < 0) | (array >= n_items))
    if outside.size:
        at = int(outside[0])
        raise DataError(f"{name}[{at}] is {array[at]}, outside the item positions 0..{n_items - 1}")
    mask = np.zeros(n_items, dtype=np.bool_)
    mask[array] = True
    return mask


def allowed_items(items: Any, exclude_items: Any, n_items: int) -> npt.NDArray[np.bool_] | None:
    """Return the mask of what is in ``items`` (None: all) and not in ``exclude_items``; None: no limit."""
    if items is None and exclude_items is None:
        return None
    mask = np.ones(n_items, dtype=np.bool_) if items is None else item_mask(items, "items", n_items)
    if exclude_items is not None:
        mask = mask & ~item_mask(exclude_items, "exclude_items", n_items)
    return mask
