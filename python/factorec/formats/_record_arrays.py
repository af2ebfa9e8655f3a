"""Arrays of any kind to those that a record's tensors are written from."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from .._to_csr import to_csr
from ..errors import DataError

__all__ = ["as_features", "as_label"]

# float32, float64 and int32 are the tensors; numpy's usual integer is written as the last.
_DTYPES = tuple(np.dtype(name) for name in ("float32", "float64", "int64"))
_INT32 = np.iinfo(np.int32)


def as_features(X: Any, dtype: npt.DTypeLike | None) -> tuple[Any, int, int]:
    """Return (ndarray or the parts of a CSR matrix, n_rows, n_columns)."""
    is_sparse: bool = sparse.issparse(X)  # its type guard knows less of X than scipy's classes have
    if not is_sparse:
        array = _as_array(X, "X", (2,), dtype)
        return array, array.shape[0], array.shape[1]
    if len(X.shape) != 2:
        raise DataError(f"X must have two dimensions, not {len(X.shape)}")
    try:
        matrix = to_csr(X)
    except ValueError as error:
        raise DataError(f"X: {error}") from None
    n_rows, n_columns = map(int, matrix.shape)
    data = _as_array(matrix.data, "X", (1,), dtype)
    indptr, indices = map(np.ascontiguousarray, (matrix.indptr, matrix.indices))
    if indptr.shape != (n_rows + 1,):
        raise DataError(f"X: indptr has shape {indptr.shape}, expected {(n_rows + 1,)}")
    return (indptr, indices, data, n_columns), n_rows, n_columns


def as_label(
    y: npt.ArrayLike, dtype: npt.DTypeLike | None, n_rows: int | None, *, n_dims: tuple[int, ...] = (1,)
) -> npt.NDArray[Any]:
    """Return one row of numbers per record."""
    label = _as_array(y, "y", n_dims, dtype)
    if n_rows is not None and len(label) != n_rows:
        raise DataError(f"y has {len(label)} entries, X has {n_rows} rows")
    return label


def _as_array(values: Any, name: str, n_dims: tuple[int, ...], dtype: npt.DTypeLike | None) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.ndim not in n_dims:
        raise DataError(f"{name} must have {' or '.join(map(str, n_dims))} dimensions, not {array.ndim}")
    wanted = _default(array.dtype, name) if dtype is None else np.dtype(dtype)
    if wanted not in _DTYPES:
        raise DataError(f"dtype must be float32, float64 or int64, got {wanted}")
    if not np.can_cast(array.dtype, wanted, "same_kind"):
        raise DataError(f"{name} is {array.dtype} and cannot be written as {wanted}: convert it first")
    # The core checks the others; these would be negative there.
    if array.dtype == np.uint64 and wanted.kind == "i" and array.size and array.max() > _INT32.max:
        raise DataError(f"{name} holds the integer {array.max()}, and a tensor of integers is one of int32")
    return np.ascontiguousarray(array, dtype=wanted)


def _default(dtype: np.dtype[Any], name: str) -> np.dtype[Any]:
    if dtype.kind in "biu":
        return np.dtype(np.int64)
    if dtype.kind == "f" and dtype.itemsize <= 8:
        return np.dtype(np.float64 if dtype.itemsize == 8 else np.float32)
    raise DataError(f"{name} is {dtype}, and tensors are of numbers: float32, float64 or integers")
